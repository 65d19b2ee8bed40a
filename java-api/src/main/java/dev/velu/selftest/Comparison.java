package dev.velu.selftest;

/** Keeps the worst of many comparisons of a result with its reference, as a fraction of the tolerance. */
final class Comparison {
    private double worstError;
    private double worstTolerance;
    private double worstFraction = -1;
    private String detail = "nothing compared";

    /** Compares one element; a NaN agrees with a NaN only. */
    void element(String what, int index, double actual, double expected, double tolerance) {
        double error = error(actual, expected);
        double fraction = fraction(error, tolerance);
        if (fraction > worstFraction) {
            worstFraction = fraction;
            worstError = error;
            worstTolerance = tolerance;
            detail = what + "[" + index + "] is " + actual + ", expected " + expected;
        }
    }

    /** Something that no tolerance excuses. */
    void failure(String what) {
        worstFraction = Double.POSITIVE_INFINITY;
        worstError = Double.POSITIVE_INFINITY;
        worstTolerance = 0;
        detail = what;
    }

    double worstError() {
        return worstError;
    }

    double worstTolerance() {
        return worstTolerance;
    }

    /** 0 for agreement to the bit, at most 1 within the tolerance. */
    double worstFraction() {
        return Math.max(0, worstFraction);
    }

    boolean pass() {
        return worstFraction <= 1;
    }

    String detail() {
        return detail;
    }

    static double fraction(double error, double tolerance) {
        if (error == 0) {
            return 0;
        }
        // A tolerance of NaN or infinity, from a magnitude that is none, excuses no wrong value.
        return tolerance > 0 && Double.isFinite(tolerance) ? error / tolerance : Double.POSITIVE_INFINITY;
    }

    private static double error(double actual, double expected) {
        boolean bothNaN = Double.isNaN(actual) && Double.isNaN(expected);
        // The second: infinities, and references beyond float32's range.
        if (bothNaN || actual == expected || actual == (float) expected) {
            return 0;
        }
        double error = Math.abs(actual - expected);
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
}
