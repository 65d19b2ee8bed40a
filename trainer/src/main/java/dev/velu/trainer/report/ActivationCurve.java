package dev.velu.trainer.report;

import dev.velu.op.VeluParameters;
import java.util.ArrayList;
import java.util.List;

/**
 * An activation function and its derivative, in float64, on evenly spaced points: what a report draws.
 *
 * <p>VeLU's value depends on the whole row of channels through one number, the adaptive scale. Drawn is a row whose mean square
 * (and variance) is 1, as batch normalization leaves it; the derivative is that of one element of a row so wide that a
 * single element does not move the scale.
 *
 * @param x from {@value #FROM} to {@value #TO}
 * @param y the function, with lambda 1
 * @param slope its derivative
 */
record ActivationCurve(List<Double> x, List<Double> y, List<Double> slope) {
    static final double FROM = -4;
    static final double TO = 4;
    private static final int POINTS = 161;

    private interface Function {
        double value(double x);

        double slope(double x);
    }

    /** VeLU with the given constants. */
    static ActivationCurve velu(VeluParameters constants) {
        return of(new Velu(constants));
    }

    /** Another function by its name, or null if there is none of that name. */
    static ActivationCurve named(String activation) {
        return switch (activation) {
            case "relu" -> of(new Clipped(Double.POSITIVE_INFINITY));
            case "relu6" -> of(new Clipped(6));
            case "silu" -> of(new Silu());
            case "gelu" -> of(new Gelu());
            default -> null;
        };
    }

    private static ActivationCurve of(Function function) {
        List<Double> x = new ArrayList<>();
        List<Double> y = new ArrayList<>();
        List<Double> slope = new ArrayList<>();
        for (int i = 0; i < POINTS; i++) {
            double at = FROM + (TO - FROM) * i / (POINTS - 1);
            x.add(at);
            y.add(function.value(at));
            slope.add(function.slope(at));
        }
        return new ActivationCurve(x, y, slope);
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private record Velu(VeluParameters constants) implements Function {
        private double scale() {
            double statistic = switch (constants.statistic()) {
                case INVERSE_RMS -> 1 / Math.sqrt(1 + constants.eps());
                case STD -> Math.sqrt(1 + constants.eps());
            };
            double scale = 1 + constants.gamma() * Math.tanh(constants.mu() * statistic);
            return constants.scale() == null
                    ? scale
                    : Math.clamp(
                            scale, constants.scale().min(), constants.scale().max());
        }

        private double gate(double x) {
            double inside = Math.clamp(constants.beta2() * x, -1.0, 1.0);
            return sigmoid(constants.alpha() * (Math.atan(constants.beta1() * x) + Math.asin(inside)));
        }

        @Override
        public double value(double x) {
            return x * gate(x) * scale();
        }

        @Override
        public double slope(double x) {
            double u = constants.beta2() * x;
            double asinSlope = Math.abs(u) < 1 ? constants.beta2() / Math.sqrt((1 - u) * (1 + u)) : 0;
            double v = constants.beta1() * x;
            double argumentSlope = constants.beta1() / (1 + v * v) + asinSlope;
            double gate = gate(x);
            return scale() * (gate + x * gate * (1 - gate) * constants.alpha() * argumentSlope);
        }
    }

    private record Clipped(double top) implements Function {
        @Override
        public double value(double x) {
            return Math.min(Math.max(x, 0), top);
        }

        @Override
        public double slope(double x) {
            return x > 0 && x < top ? 1 : 0;
        }
    }

    private record Silu() implements Function {
        @Override
        public double value(double x) {
            return x * sigmoid(x);
        }

        @Override
        public double slope(double x) {
            return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
        }
    }

    private record Gelu() implements Function {
        @Override
        public double value(double x) {
            return x * normalCdf(x);
        }

        @Override
        public double slope(double x) {
            return normalCdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
        }

        /** By its power series, which converges everywhere and needs few terms on the range that is drawn. */
        private static double normalCdf(double x) {
            double term = x;
            double sum = x;
            for (int n = 1; Math.abs(term) > 1e-17; n++) {
                term *= x * x / (2 * n + 1);
                sum += term;
            }
            return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
        }
    }
}
