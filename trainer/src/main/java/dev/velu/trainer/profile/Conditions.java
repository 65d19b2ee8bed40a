package dev.velu.trainer.profile;

import dev.velu.selftest.Limits;

/**
 * What was profiled and on what.
 *
 * @param tf32 whether float32 products may be rounded to TF32
 * @param threads of the operations on the CPU; 0 on other devices
 * @param limits of the device, measured in the same process
 */
public record Conditions(
        String model,
        String activation,
        String precision,
        boolean tf32,
        String optimizer,
        String device,
        String deviceName,
        int threads,
        int size,
        int batchSize,
        Limits limits) {}
