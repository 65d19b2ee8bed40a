package dev.velu.peers.vector;

import java.util.function.DoubleUnaryOperator;

/**
 * {@code f(x) = f(0) + x P(x^2)} for a function whose difference from {@code f(0)} is odd: Chebyshev interpolation of P.
 *
 * @param coefficients of P, from the constant term on
 * @param error largest absolute error of f where it was fitted
 */
record OddPolynomial(double[] coefficients, double error) {
    private static final int SAMPLES = 400;

    /**
     * The interpolation on {@code [-bound, bound]}.
     *
     * @param terms of P
     */
    static OddPolynomial fit(DoubleUnaryOperator f, double bound, int terms) {
        double middle = f.applyAsDouble(0);
        double[] node = new double[terms];
        double[] divided = new double[terms];
        for (int i = 0; i < terms; i++) {
            double x = bound * Math.sqrt(0.5 * (1 + Math.cos(Math.PI * (i + 0.5) / terms)));
            node[i] = x * x;
            divided[i] = (f.applyAsDouble(x) - middle) / x;
        }
        double[] coefficients = powers(node, divided);
        double error = 0;
        for (int i = 1; i <= SAMPLES; i++) {
            double x = bound * i / SAMPLES;
            error = Math.max(error, Math.abs(middle + x * of(coefficients, x * x) - f.applyAsDouble(x)));
        }
        return new OddPolynomial(coefficients, error);
    }

    /** The polynomial through values at nodes: Newton's divided differences, then expanded into powers. */
    private static double[] powers(double[] node, double[] value) {
        int n = node.length;
        for (int order = 1; order < n; order++) {
            for (int i = n - 1; i >= order; i--) {
                value[i] = (value[i] - value[i - 1]) / (node[i] - node[i - order]);
            }
        }
        double[] powers = new double[n];
        for (int i = n - 1; i >= 0; i--) {
            for (int k = n - 1; k > 0; k--) {
                powers[k] = powers[k - 1] - node[i] * powers[k];
            }
            powers[0] = value[i] - node[i] * powers[0];
        }
        return powers;
    }

    private static double of(double[] coefficients, double w) {
        double value = 0;
        for (int k = coefficients.length - 1; k >= 0; k--) {
            value = value * w + coefficients[k];
        }
        return value;
    }
}
