package dev.velu.selftest;

import dev.velu.tensor.DType;

/**
 * Outcome of one operation on one case.
 *
 * @param operation the C function without {@code velu_}, e.g. {@code conv2d_forward}
 * @param dtype of the data, F32 or BF16
 * @param caseName shape and options
 * @param implementation what the device computed it with
 * @param worstError the error that came closest to its tolerance or furthest beyond it; infinite for a wrong NaN
 * @param tolerance what that error was allowed to be
 * @param detail the element with that error, or what else went wrong
 */
public record Result(
        String operation,
        DType dtype,
        String caseName,
        String implementation,
        double worstError,
        double tolerance,
        boolean pass,
        String detail) {
    /** The worst error as a fraction of its tolerance; at most 1 if it passed. */
    public double fraction() {
        return Comparison.fraction(worstError, tolerance);
    }
}
