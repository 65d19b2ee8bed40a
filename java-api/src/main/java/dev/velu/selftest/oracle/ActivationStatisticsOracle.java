package dev.velu.selftest.oracle;

import dev.velu.op.ActivationFunction;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;

/**
 * What an activation does to {@code x[rows][channels]}.
 *
 * @param channels of a row
 * @param lambda scale of the output
 */
public record ActivationStatisticsOracle(ActivationFunction function, int channels, double lambda) {
    private static final double DEAD = 1e-6f;

    /**
     * @param values mean and standard deviation of a, its closed form of W2, least, mean and largest adaptive scale
     * @param deadUnits channels whose outputs are all at most 1e-6 in size
     * @param saturated elements
     */
    public record Statistics(double[] values, long deadUnits, long saturated) {}

    /** @param a what the function gives for x, before lambda, as stored */
    public Statistics measure(double[] x, double[] a) {
        int rows = x.length / channels;
        double mean = 0;
        double squares = 0;
        for (double value : a) {
            mean += value / a.length;
        }
        for (double value : a) {
            squares += (value - mean) * (value - mean) / a.length;
        }
        double std = Math.sqrt(squares);
        double least = Double.POSITIVE_INFINITY;
        double most = Double.NEGATIVE_INFINITY;
        double sum = 0;
        for (int row = 0; row < rows; row++) {
            double scale = function instanceof VeluParameters params
                    ? new VeluOracle(params, 1).scale(new VeluOracle(params, 1).statistic(x, row, channels))
                    : 1;
            // Math.min and Math.max keep a NaN.
            least = Math.min(least, scale);
            most = Math.max(most, scale);
            sum += scale;
        }
        long dead = 0;
        for (int c = 0; c < channels; c++) {
            boolean isDead = true;
            for (int i = c; i < a.length; i += channels) {
                isDead &= Math.abs(lambda * a[i]) <= DEAD;
            }
            dead += isDead ? 1 : 0;
        }
        long saturated = 0;
        for (double value : x) {
            saturated += isSaturated(value) ? 1 : 0;
        }
        double[] values = {mean, std, mean * mean + (std - 1) * (std - 1), least, sum / rows, most};
        return new Statistics(values, dead, saturated);
    }

    private boolean isSaturated(double x) {
        return switch (function) {
            case VeluParameters params -> Math.abs(params.beta2() * x) >= 1;
            case Pointwise pointwise ->
                switch (pointwise) {
                    case RELU -> x <= 0;
                    case RELU6 -> x <= 0 || x >= 6;
                    case SILU -> x <= -6.9067548f;
                    case GELU -> x <= -3.0902323f;
                    case SIGMOID -> Math.abs(x) >= 6.9067548f;
                };
        };
    }
}
