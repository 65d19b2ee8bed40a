package dev.velu.trainer.profile;

/**
 * Time of a step outside native calls of operations, in milliseconds, medians over the steps.
 *
 * @param batch waiting for the batch's images
 * @param copy of the batch to the device
 * @param dispatch between the native calls: Java that makes them, and reading the clock around them
 * @param results reading the results, metrics and progress
 * @param total of a step; its median, so not quite the sum of the others
 * @param share of the median step
 */
public record HostTime(double batch, double copy, double dispatch, double results, double total, double share) {}
