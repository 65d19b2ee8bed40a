package dev.velu.nn;

/**
 * Parameters that lie together in the flat buffer and are trained alike.
 *
 * @param offset float32 values before it
 * @param count float32 values, with padding
 * @param learningRateFactor what the learning rate is multiplied with
 * @param weightDecay instead of the optimizer's, or null for the optimizer's
 */
public record ParameterRun(long offset, long count, float learningRateFactor, Float weightDecay) {}
