package dev.velu.selftest;

import dev.velu.tensor.DType;
import java.util.EnumMap;
import java.util.Map;

/**
 * What a device was measured to do at best.
 *
 * @param memoryBytesPerSecond of a pass over memory much larger than its caches, e.g. a copy, counting bytes read and bytes
 *     written
 * @param flopsPerSecond of large matrix products, a multiplication and an addition counted as two, by data type
 */
public record Limits(double memoryBytesPerSecond, Map<DType, Double> flopsPerSecond) {
    /** The better of each limit. */
    Limits orBetter(Limits other) {
        Map<DType, Double> flops = new EnumMap<>(DType.class);
        flops.putAll(flopsPerSecond);
        other.flopsPerSecond.forEach((dtype, rate) -> flops.merge(dtype, rate, Math::max));
        return new Limits(Math.max(memoryBytesPerSecond, other.memoryBytesPerSecond), flops);
    }

    /** Seconds that this much traffic and arithmetic takes at least. */
    public double seconds(DType dtype, double bytes, double flops) {
        double arithmetic = flops / flopsPerSecond.getOrDefault(dtype, Double.POSITIVE_INFINITY);
        return Math.max(bytes / memoryBytesPerSecond, arithmetic);
    }

    /** Whether memory is what limits this much traffic and arithmetic. */
    boolean memoryBound(DType dtype, double bytes, double flops) {
        return seconds(dtype, bytes, flops) == bytes / memoryBytesPerSecond;
    }
}
