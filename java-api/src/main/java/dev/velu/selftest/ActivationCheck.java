package dev.velu.selftest;

import dev.velu.op.Activation;
import dev.velu.op.Pointwise;
import dev.velu.selftest.oracle.ActivationOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** ReLU, ReLU6, SiLU, GELU and the sigmoid: values, kinks, both tails, NaN. */
final class ActivationCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};
    private static final float[] EDGES = {
        0, -0f, 6, -6, Math.nextUp(6f), Math.nextDown(6f), 1e-30f, -1e-30f, 20, -20, 88, -88, 104, -104, 1e30f, -1e30f
    };

    private ActivationCheck() {}

    static void run(Probe probe) {
        for (Pointwise function : Pointwise.values()) {
            for (int count : COUNTS) {
                check(probe, function, probe.data(values(count)));
            }
            notANumber(probe, function);
            if (probe.dtype() == DType.F32) {
                gradients(probe, function);
            }
        }
    }

    /** y = f(z) of an operation that applies f to its result. */
    static void compareFused(Trial trial, Tensor y, Pointwise function, double[] z, double[] zMagnitude) {
        compareFused(trial, y, function, z, zMagnitude, z);
    }

    /** The same where z is a sum of which a part may be stored first. */
    static void compareFused(
            Trial trial, Tensor y, Pointwise function, double[] z, double[] zMagnitude, double[] stored) {
        compareFused(trial, y.toFloatArray(), function, z, zMagnitude, stored);
    }

    /** The same where the values of y were stored with a pitch. */
    static void compareFused(Trial trial, PitchedRows y, Pointwise function, double[] z, double[] zMagnitude) {
        compareFused(trial, y.values(), function, z, zMagnitude, z);
        y.checkGaps(trial, "y");
    }

    private static void compareFused(
            Trial trial, float[] actual, Pointwise function, double[] z, double[] zMagnitude, double[] stored) {
        for (int i = 0; i < z.length; i++) {
            double expected = ActivationOracle.value(function, z[i]);
            double tolerance = Tolerances.FUSED_ACTIVATION.at(zMagnitude[i] + Math.abs(expected));
            if (trial.dtype() == DType.BF16) {
                // A pass of its own takes what was stored, and rounded, already.
                tolerance += Tolerances.STEEPEST * Tolerances.bfloat16Rounding(stored[i])
                        + Tolerances.bfloat16Rounding(expected);
            }
            trial.comparison().element("y", i, actual[i], expected, tolerance);
        }
    }

    private static float[] values(int count) {
        float[] values = Numbers.normal(count, count, 3);
        for (int i = 0; i < EDGES.length && 2 * i + 1 < count; i++) {
            values[2 * i + 1] = EDGES[i];
        }
        return values;
    }

    private static void check(Probe probe, Pointwise function, float[] x) {
        Activation activation = new Activation(function);
        String name = x.length + " " + function.label();
        double[] wide = Numbers.wide(x);
        probe.trial("activation_forward", name, trial -> {
            Tensor y = trial.result(x.length);
            activation.forward(trial.context(), trial.data(x, x.length), y);
            trial.compare("y", y, Numbers.map(wide, v -> ActivationOracle.value(function, v)), Tolerances.ACTIVATION);
            Tensor inPlace = trial.updatedData(x, x.length);
            activation.forward(trial.context(), inPlace, inPlace);
            trial.compareExactly("y in place of x", inPlace, y.toFloatArray());
        });
        probe.trial("activation_backward", name, trial -> {
            float[] dy = probe.data(Numbers.normal(x.length + 1, x.length, 1));
            double[] expected = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                expected[i] = dy[i] * ActivationOracle.derivative(function, x[i]);
            }
            Tensor input = trial.data(x, x.length);
            Tensor dx = trial.result(x.length);
            activation.backward(trial.context(), input, trial.data(dy, x.length), dx);
            trial.compare("dx", dx, expected, Numbers.absolute(dy), Tolerances.ACTIVATION_GRADIENT);
            Tensor inPlace = trial.updatedData(dy, x.length);
            activation.backward(trial.context(), input, inPlace, inPlace);
            trial.compareExactly("dx in place of dy", inPlace, dx.toFloatArray());
        });
    }

    private static void notANumber(Probe probe, Pointwise function) {
        probe.trial("activation_forward", "33 " + function.label() + " one NaN", trial -> {
            float[] x = probe.data(Numbers.normal(4, 33, 1));
            x[20] = Float.NaN;
            Tensor y = trial.result(33);
            new Activation(function).forward(trial.context(), trial.data(x, 33), y);
            double[] expected = Numbers.map(Numbers.wide(x), v -> ActivationOracle.value(function, v));
            trial.compare("y", y, expected, Tolerances.ACTIVATION);
        });
    }

    private static void gradients(Probe probe, Pointwise function) {
        probe.trial("activation_backward", "257 " + function.label() + " by differences", trial -> {
            float[] x = Numbers.normal(5, 257, 3);
            for (int i = 0; i < x.length; i++) {
                // Away from the kinks at 0 and 6.
                if (Math.abs(x[i]) < 0.01 || Math.abs(x[i] - 6) < 0.01) {
                    x[i] = 1;
                }
            }
            float[] dy = Numbers.normal(6, 257, 1);
            Tensor dx = trial.output(DType.F32, 257);
            new Activation(function).backward(trial.context(), trial.input(x, 257), trial.input(dy, 257), dx);
            DifferenceQuotient.compare(
                    trial,
                    "dx",
                    dx.toFloatArray(),
                    x,
                    Numbers.absolute(dy),
                    point -> Numbers.dot(dy, Numbers.map(point, v -> ActivationOracle.value(function, v))));
        });
    }
}
