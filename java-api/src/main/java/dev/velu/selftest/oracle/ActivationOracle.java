package dev.velu.selftest.oracle;

import dev.velu.op.Pointwise;

/** The pointwise activations and their derivatives. */
public final class ActivationOracle {
    private static final double SERIES_LIMIT = 2.5;

    private ActivationOracle() {}

    public static double value(Pointwise function, double x) {
        return switch (function) {
            case RELU -> Math.max(x, 0);
            case RELU6 -> Math.min(Math.max(x, 0), 6);
            case SILU -> x * sigmoid(x);
            case GELU -> x * normalDistribution(x);
            case SIGMOID -> sigmoid(x);
        };
    }

    /** f'(x); 0 at the kinks. */
    public static double derivative(Pointwise function, double x) {
        return switch (function) {
            case RELU -> Double.isNaN(x) ? x : x > 0 ? 1 : 0;
            case RELU6 -> Double.isNaN(x) ? x : x > 0 && x < 6 ? 1 : 0;
            case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
            case GELU -> normalDistribution(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case SIGMOID -> sigmoid(x) * sigmoid(-x);
        };
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /** Phi(x): the probability that a standard normal number is below x. */
    static double normalDistribution(double x) {
        return erfc(-x / Math.sqrt(2)) / 2;
    }

    /**
     * 1 - erf(x) to a few units in the last place: near 0 by {@code erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) /
     * (2n+1)!!} (Abramowitz and Stegun 7.1.6), whose terms have one sign, beyond it by the continued fraction 7.1.14.
     */
    static double erfc(double x) {
        if (Double.isNaN(x)) {
            return x;
        }
        if (x < 0) {
            return 2 - erfc(-x);
        }
        if (x < SERIES_LIMIT) {
            double term = x;
            double sum = x;
            for (int n = 1; term > 1e-18 * sum; n++) {
                term *= 2 * x * x / (2 * n + 1);
                sum += term;
            }
            return 1 - 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
        }
        double tail = x;
        for (int n = 200; n >= 1; n--) {
            tail = x + n / 2.0 / tail;
        }
        return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
    }
}
