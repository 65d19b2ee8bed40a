package dev.velu.selftest.oracle;

import dev.velu.op.VeluParameters;

/**
 * VeLU over {@code x[rows][channels]} (Shakarami et al., arXiv 2504.15051), its Wasserstein-2 distance and the gradient
 * of {@code sum(dy y) + w2Weight W2}.
 *
 * @param parameters the constants; their float32 values are taken as exact
 * @param lambda scale of the output
 */
public record VeluOracle(VeluParameters parameters, double lambda) {
    /** Smallest value of {@code (1 - beta2 x)(1 + beta2 x)} that the derivative of asin divides by the root of. */
    private static final double CLIP_FLOOR = 0x1p-23;

    /**
     * @param activation A, before lambda
     * @param mean of A over all elements
     * @param std population standard deviation of A over all elements
     * @param w2 {@code mean^2 + (std - 1)^2}
     */
    public record Forward(double[] activation, double[] y, double mean, double std, double w2) {}

    /** The magnitudes are the sums of the absolute terms of the gradients. */
    public record Backward(double[] dx, double[] dxMagnitude, double dlambda, double dlambdaMagnitude) {}

    public Forward forward(double[] x, int channels) {
        int rows = x.length / channels;
        double[] activation = new double[x.length];
        double[] y = new double[x.length];
        for (int r = 0; r < rows; r++) {
            double a = scale(statistic(x, r, channels));
            for (int i = r * channels; i < (r + 1) * channels; i++) {
                activation[i] = x[i] * gate(x[i]) * a;
                y[i] = lambda * activation[i];
            }
        }
        double mean = 0;
        for (double value : activation) {
            mean += value / x.length;
        }
        double variance = 0;
        for (double value : activation) {
            variance += (value - mean) * (value - mean) / x.length;
        }
        double std = Math.sqrt(variance);
        return new Forward(activation, y, mean, std, mean * mean + (std - 1) * (std - 1));
    }

    public Backward backward(double[] x, double[] dy, int channels, double w2Weight) {
        int rows = x.length / channels;
        Forward forward = forward(x, channels);
        double[] dx = new double[x.length];
        double[] magnitude = new double[x.length];
        double dlambda = 0;
        double dlambdaMagnitude = 0;
        double alpha = parameters.alpha();
        for (int r = 0; r < rows; r++) {
            double s = statistic(x, r, channels);
            double a = scale(s);
            double t = Math.tanh(parameters.mu() * s);
            boolean clamped = scale(s) != unclampedScale(s);
            double da = clamped ? 0 : parameters.gamma() * (1 - t * t) * parameters.mu();
            double rowMean = mean(x, r, channels);
            double sum = 0;
            double absoluteSum = 0;
            for (int i = r * channels; i < (r + 1) * channels; i++) {
                double term = dActivation(forward, dy[i], i, w2Weight) * x[i] * gate(x[i]);
                sum += term;
                absoluteSum += Math.abs(term);
                dlambda += dy[i] * forward.activation[i];
                dlambdaMagnitude += Math.abs(dy[i] * forward.activation[i]);
            }
            for (int i = r * channels; i < (r + 1) * channels; i++) {
                double g = gate(x[i]);
                double dA = dActivation(forward, dy[i], i, w2Weight);
                double linear = dA * a * g;
                double throughGate = dA * a * x[i] * g * (1 - g) * alpha * angleDerivative(x[i]);
                double ds = switch (parameters.statistic()) {
                    case INVERSE_RMS -> -s * s * s * x[i] / channels;
                    case STD -> (x[i] - rowMean) / (channels * s);
                };
                dx[i] = linear + throughGate + sum * da * ds;
                magnitude[i] = Math.abs(linear) + Math.abs(throughGate) + absoluteSum * Math.abs(da * ds);
            }
        }
        return new Backward(dx, magnitude, dlambda, dlambdaMagnitude);
    }

    private double dActivation(Forward forward, double dy, int i, double w2Weight) {
        double dA = lambda * dy;
        if (w2Weight != 0) {
            int n = forward.activation.length;
            double centered = forward.activation[i] - forward.mean;
            double throughStd = forward.std == 0 ? 0 : 2 * (forward.std - 1) * centered / (n * forward.std);
            dA += w2Weight * (2 * forward.mean / n + throughStd);
        }
        return dA;
    }

    private static double mean(double[] x, int row, int channels) {
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            sum += x[row * channels + c];
        }
        return sum / channels;
    }

    double statistic(double[] x, int row, int channels) {
        double center = switch (parameters.statistic()) {
            case INVERSE_RMS -> 0;
            case STD -> mean(x, row, channels);
        };
        double squares = 0;
        for (int c = 0; c < channels; c++) {
            double centered = x[row * channels + c] - center;
            squares += centered * centered;
        }
        double root = Math.sqrt(squares / channels + parameters.eps());
        return switch (parameters.statistic()) {
            case INVERSE_RMS -> 1 / root;
            case STD -> root;
        };
    }

    private double unclampedScale(double s) {
        return 1 + parameters.gamma() * Math.tanh(parameters.mu() * s);
    }

    double scale(double s) {
        double a = unclampedScale(s);
        VeluParameters.Clamp clamp = parameters.scale();
        // Math.min and Math.max keep a NaN.
        return clamp == null ? a : Math.min(Math.max(a, clamp.min()), clamp.max());
    }

    private double gate(double x) {
        double u = Math.min(Math.max(parameters.beta2() * x, -1), 1);
        double m = Math.atan(parameters.beta1() * x) + Math.asin(u);
        return 1 / (1 + Math.exp(-parameters.alpha() * m));
    }

    /** m'. The products of two float32 are exact in float64. */
    private double angleDerivative(double x) {
        double v = parameters.beta1() * x;
        double u = parameters.beta2() * x;
        double derivative = parameters.beta1() / (1 + v * v);
        if (Math.abs(u) < 1) {
            derivative += parameters.beta2() / Math.sqrt(Math.max((1 - u) * (1 + u), CLIP_FLOOR));
        }
        return derivative;
    }
}
