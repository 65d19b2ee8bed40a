package dev.velu.selftest;

import dev.velu.tensor.DType;
import java.util.Map;

/**
 * What a device was measured to do at best.
 *
 * @param copyBytesPerSecond of a copy within its memory much larger than its caches, counting bytes read and bytes written
 * @param flopsPerSecond of a large matrix product, a multiplication and an addition counted as two, by data type
 */
public record Limits(double copyBytesPerSecond, Map<DType, Double> flopsPerSecond) {
    /** Seconds that this much traffic and arithmetic takes at least. */
    double seconds(DType dtype, double bytes, double flops) {
        double arithmetic = flops / flopsPerSecond.getOrDefault(dtype, Double.POSITIVE_INFINITY);
        return Math.max(bytes / copyBytesPerSecond, arithmetic);
    }

    /** Whether memory is what limits this much traffic and arithmetic. */
    boolean memoryBound(DType dtype, double bytes, double flops) {
        return seconds(dtype, bytes, flops) == bytes / copyBytesPerSecond;
    }
}
