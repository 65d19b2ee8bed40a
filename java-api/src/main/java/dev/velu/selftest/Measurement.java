package dev.velu.selftest;

import dev.velu.tensor.DType;

/**
 * How long one operation took on one case.
 *
 * @param operation the C function without {@code velu_}
 * @param dtype of the data
 * @param caseName shape and options
 * @param implementation what the device computed it with
 * @param milliseconds of one call, median of the repetitions
 * @param spread interquartile range of the repetitions, as a fraction of the median
 * @param bytes that must be read and written at least: every input and output once, and again for a pass over a tensor
 *     that needs the result of an earlier pass
 * @param flops multiplications and additions of convolutions and matrix products; 0 for others
 * @param memoryBound whether the device's copy bandwidth sets the limit, else its matrix product
 * @param share of the limit: the least time that the device could take, over the time taken
 */
public record Measurement(
        String operation,
        DType dtype,
        String caseName,
        String implementation,
        double milliseconds,
        double spread,
        int repetitions,
        double bytes,
        double flops,
        boolean memoryBound,
        double share) {
    /** Bytes moved per second, in 10^9. */
    public double gigabytesPerSecond() {
        return bytes / milliseconds / 1e6;
    }

    /** Floating-point operations per second, in 10^9. */
    public double gigaflopsPerSecond() {
        return flops / milliseconds / 1e6;
    }
}
