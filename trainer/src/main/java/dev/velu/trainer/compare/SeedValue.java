package dev.velu.trainer.compare;

/**
 * What one finished cell gave.
 *
 * @param value of the metric, unscaled
 */
public record SeedValue(long seed, double value) {}
