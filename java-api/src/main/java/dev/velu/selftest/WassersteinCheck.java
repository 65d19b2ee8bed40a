package dev.velu.selftest;

import dev.velu.op.W2;
import dev.velu.op.Wasserstein;
import dev.velu.selftest.oracle.WassersteinOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** W2 of every kind: shapes, ties, channels without deviation, extreme values, NaN. */
final class WassersteinCheck {
    private static final int[][] SHAPES = {{1, 1}, {1, 33}, {31, 33}, {5, 257}, {2, 2048}, {1025, 3}};
    private static final float LAMBDA = 0.7f;

    private WassersteinCheck() {}

    private record Case(String name, W2 kind, int channels, float[] a) {
        long rows() {
            return a.length / channels;
        }

        /** So large that the term's gradient weighs as much as what else flows back. */
        float w2Weight() {
            return 0.5f * a.length;
        }

        WassersteinOracle oracle() {
            return new WassersteinOracle(kind, channels);
        }

        String caseName() {
            return rows() + "x" + channels + " " + kind + name;
        }
    }

    static void run(Probe probe) {
        for (W2 kind : W2.values()) {
            for (int[] shape : SHAPES) {
                float[] a = Numbers.normal(shape[0], shape[0] * shape[1], 0.6);
                check(probe, new Case("", kind, shape[1], probe.data(a)));
            }
            float[] ties = new float[7 * 33];
            for (int i = 0; i < ties.length; i++) {
                ties[i] = i % 33 < 5 ? 0.25f : i % 4 - 1.5f;
            }
            check(probe, new Case(" ties and channels of one value", kind, 33, ties));
            float[] extremes = probe.data(Numbers.normal(9, 4 * 31, 1));
            extremes[3] = 0x1p60f;
            extremes[41] = 0x1p-130f;
            extremes[77] = -0f;
            check(probe, new Case(" extremes", kind, 31, extremes));
            float[] notANumber = probe.data(Numbers.normal(10, 4 * 31, 1));
            notANumber[40] = Float.NaN;
            check(probe, new Case(" one NaN", kind, 31, notANumber));
            differences(probe, new Case(" by differences", kind, 33, apart(5 * 33)));
        }
    }

    /** Numbers in no order, so far apart that the steps of a difference quotient leave their order as it is. */
    private static float[] apart(int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i * 37 % count] = 0.02f * (i - 0.4f * count);
        }
        return numbers;
    }

    private static void check(Probe probe, Case c) {
        WassersteinOracle oracle = c.oracle();
        double[] wide = Numbers.wide(c.a);
        probe.trial("wasserstein_forward", c.caseName(), trial -> {
            WassersteinOracle.Forward expected = oracle.forward(wide);
            Wasserstein operation = new Wasserstein(c.kind, c.w2Weight());
            Tensor a = trial.data(c.a, c.rows(), c.channels);
            Tensor y = trial.result(c.rows(), c.channels);
            Tensor saved = trial.output(
                    DType.F32, operation.savedType(a.type()).shape().toArray());
            Tensor moments = trial.output(DType.F32, 3);
            operation.forward(trial.context(), a, trial.scalar(LAMBDA), y, saved, moments);
            double[] reference = {expected.mean(), expected.std(), expected.w2()};
            trial.compare(
                    "moments",
                    moments,
                    reference,
                    Numbers.map(reference, m -> Math.max(1, Math.abs(m))),
                    Tolerances.VELU_MOMENTS);
            trial.compare("saved", saved, expected.saved(), Tolerances.WASSERSTEIN_GRADIENT);
            float[] scaled = new float[c.a.length];
            for (int i = 0; i < scaled.length; i++) {
                scaled[i] = LAMBDA * c.a[i];
            }
            trial.compareExactly("y", y, scaled);
        });
        probe.trial("wasserstein_backward", c.caseName(), trial -> {
            float[] dyValues = probe.data(Numbers.normal(c.a.length, c.a.length, 1));
            WassersteinOracle.Gradient w2 = oracle.gradient(wide);
            double[] expected = new double[wide.length];
            double[] magnitude = new double[wide.length];
            double dlambdaMagnitude = 0;
            for (int i = 0; i < wide.length; i++) {
                double direct = (double) LAMBDA * dyValues[i];
                expected[i] = direct + c.w2Weight() * w2.da()[i];
                magnitude[i] = Math.abs(direct) + c.w2Weight() * w2.magnitude()[i];
                dlambdaMagnitude += Math.abs(dyValues[i] * wide[i]);
            }
            Tensor a = trial.data(c.a, c.rows(), c.channels);
            Tensor da = trial.result(c.rows(), c.channels);
            Tensor dlambda = trial.output(DType.F32);
            Wasserstein operation = new Wasserstein(c.kind, c.w2Weight());
            Tensor saved = trial.input(
                    Numbers.narrow(oracle.forward(wide).saved()),
                    operation.savedType(a.type()).shape().toArray());
            Tensor dy = trial.data(dyValues, c.rows(), c.channels);
            Tensor lambda = trial.scalar(LAMBDA);
            operation.backward(trial.context(), a, dy, lambda, saved, da, dlambda);
            trial.compare("da", da, expected, magnitude, Tolerances.WASSERSTEIN_GRADIENT);
            trial.compare(
                    "dlambda",
                    dlambda.item(),
                    Numbers.dot(dyValues, wide),
                    Tolerances.WASSERSTEIN_GRADIENT.at(dlambdaMagnitude));
            Tensor inPlace = trial.updatedData(dyValues, c.rows(), c.channels);
            operation.backward(trial.context(), a, inPlace, lambda, saved, inPlace, null);
            trial.compareExactly("da in place of dy", inPlace, da.toFloatArray());
        });
    }

    /** The gradient of W2 alone against difference quotients of the reference's W2. */
    private static void differences(Probe probe, Case c) {
        if (probe.dtype() != DType.F32) {
            return;
        }
        probe.trial("wasserstein_backward", c.caseName(), trial -> {
            Tensor a = trial.input(c.a, c.rows(), c.channels);
            Tensor da = trial.output(DType.F32, c.rows(), c.channels);
            Wasserstein operation = new Wasserstein(c.kind, c.w2Weight());
            WassersteinOracle oracle = c.oracle();
            Tensor saved = trial.input(
                    Numbers.narrow(oracle.forward(Numbers.wide(c.a)).saved()),
                    operation.savedType(a.type()).shape().toArray());
            operation.backward(trial.context(), a, null, null, saved, da, null);
            double[] magnitude = Numbers.map(oracle.gradient(Numbers.wide(c.a)).magnitude(), m -> c.w2Weight() * m);
            DifferenceQuotient.compare(
                    trial,
                    "da",
                    da.toFloatArray(),
                    c.a,
                    magnitude,
                    point -> c.w2Weight() * oracle.forward(point).w2());
        });
    }
}
