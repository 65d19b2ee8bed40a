package dev.velu.selftest;

import dev.velu.device.Device;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.op.VeluParameters.Clamp;
import dev.velu.op.VeluParameters.Statistic;
import dev.velu.selftest.oracle.VeluOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** VeLU: shapes, both statistics, the clamp, W2, points beside the clip, tiny and huge values, NaN. */
final class VeluCheck {
    private static final int[][] SHAPES = {{1, 1}, {3, 31}, {31, 33}, {5, 257}, {2, 2048}, {257, 7}, {1024, 129}};
    /** Inside the adaptive scale's range with the default gamma, so that some rows clip and some do not. */
    private static final Clamp CLAMP = new Clamp(0.97f, 1.05f);

    private VeluCheck() {}

    /** One case: lambda is null for none. */
    private record Case(String name, VeluParameters parameters, Float lambda, float w2Weight, int channels, float[] x) {
        VeluOracle oracle() {
            return new VeluOracle(parameters, lambda == null ? 1 : lambda);
        }

        long rows() {
            return x.length / channels;
        }

        /** With values that the data type of the trials holds. */
        Case in(Probe probe) {
            return new Case(name, parameters, lambda, w2Weight, channels, probe.data(x));
        }

        String caseName() {
            return rows() + "x" + channels + " " + name;
        }
    }

    static void run(Probe probe) {
        for (Case drawn : cases()) {
            Case c = drawn.in(probe);
            forward(probe, c);
            backward(probe, c);
        }
        emptyTensor(probe);
        Case huge = new Case(
                "huge values", parameters(VeluParameters.curve(), Statistic.INVERSE_RMS, null), 1f, 0, 4, new float[] {
                    1e20f, -1e20f, 1e19f, 0.5f, -1f, 3e18f, 1f, 2f
                });
        backward(probe, huge.in(probe));
        for (Statistic statistic : Statistic.values()) {
            notANumber(probe, statistic, null);
            notANumber(probe, statistic, CLAMP);
            if (probe.dtype() == DType.F32) {
                gradients(probe, statistic, null);
                // A range that no row leaves and one that every row leaves: the clip's edge is a kink.
                gradients(probe, statistic, new Clamp(0.5f, 2));
                gradients(probe, statistic, new Clamp(1.2f, 2));
            }
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        float[] weights = {0, 0.1f, 1};
        Float[] lambdas = {1f, 0.75f, null, -1.3f};
        for (Statistic statistic : Statistic.values()) {
            for (int[] shape : SHAPES) {
                for (boolean curve : new boolean[] {false, true}) {
                    int n = cases.size();
                    Clamp clamp = n % 4 == 3 ? CLAMP : null;
                    VeluParameters parameters =
                            parameters(curve ? VeluParameters.curve() : VeluParameters.released(), statistic, clamp);
                    float[] x = Numbers.normal(n, shape[0] * shape[1], 0.2 + n % 3);
                    placeEdges(x, parameters);
                    cases.add(new Case(
                            statistic + (curve ? " curve" : " released") + (clamp == null ? "" : " clamp")
                                    + " w2 weight " + weights[n % 3],
                            parameters,
                            lambdas[n % 4],
                            weights[n % 3],
                            shape[1],
                            x));
                }
            }
            float[] tiny = Numbers.normal(1, 4 * 33, 1e-4);
            tiny[5] = 1e-30f;
            tiny[40] = Float.MIN_VALUE;
            cases.add(new Case(
                    statistic + " tiny values",
                    parameters(VeluParameters.curve(), statistic, null),
                    1f,
                    0.1f,
                    33,
                    tiny));
            cases.add(new Case(
                    statistic + " zeros",
                    parameters(VeluParameters.released(), statistic, null),
                    1f,
                    0.1f,
                    31,
                    new float[3 * 31]));
        }
        return cases;
    }

    private static VeluParameters parameters(VeluParameters p, Statistic statistic, Clamp clamp) {
        return new VeluParameters(p.alpha(), p.beta1(), p.beta2(), p.gamma(), p.mu(), p.eps(), statistic, clamp);
    }

    /** The clip's edge and its neighbours, zeros of both signs, and values far outside. */
    private static void placeEdges(float[] x, VeluParameters parameters) {
        float edge = 1 / parameters.beta2();
        float[] points = {
            edge,
            -edge,
            Math.nextUp(edge),
            Math.nextDown(edge),
            -Math.nextDown(edge),
            0.99f * edge,
            0.5f * edge,
            0,
            -0f,
            40,
            -1000
        };
        for (int i = 0; i < points.length && 7 * i + 3 < x.length; i++) {
            x[7 * i + 3] = points[i];
        }
    }

    private static void forward(Probe probe, Case c) {
        probe.trial("velu_forward", c.caseName(), trial -> {
            VeluOracle.Forward expected = c.oracle().forward(Numbers.wide(c.x), c.channels);
            Tensor x = trial.data(c.x, c.rows(), c.channels);
            Tensor lambda = c.lambda == null ? null : trial.scalar(c.lambda);
            Tensor y = trial.result(c.rows(), c.channels);
            Tensor moments = trial.output(DType.F32, 3);
            Velu velu = new Velu(c.parameters, c.w2Weight);
            velu.forward(trial.context(), x, lambda, y, moments);
            trial.compare("y", y, expected.y(), Tolerances.VELU_Y);
            double[] reference = {expected.mean(), expected.std(), expected.w2()};
            trial.compare(
                    "moments",
                    moments,
                    reference,
                    Numbers.map(reference, m -> Math.max(1, Math.abs(m))),
                    Tolerances.VELU_MOMENTS);

            Tensor inPlace = trial.updatedData(c.x, c.rows(), c.channels);
            velu.forward(trial.context(), inPlace, lambda, inPlace, null);
            trial.compare("y in place of x", inPlace, expected.y(), Tolerances.VELU_Y);
            if (bitsAreThoseOfAnyAlignment(trial)) {
                trial.compareExactly("y in place of x", inPlace, y.toFloatArray());
            }
        });
    }

    private static void backward(Probe probe, Case c) {
        probe.trial("velu_backward", c.caseName(), trial -> {
            float[] dyValues = probe.data(Numbers.normal(c.x.length, c.x.length, 1));
            VeluOracle.Forward forward = c.oracle().forward(Numbers.wide(c.x), c.channels);
            VeluOracle.Backward expected =
                    c.oracle().backward(Numbers.wide(c.x), Numbers.wide(dyValues), c.channels, c.w2Weight);
            Tensor x = trial.data(c.x, c.rows(), c.channels);
            Tensor dy = trial.data(dyValues, c.rows(), c.channels);
            Tensor lambda = c.lambda == null ? null : trial.scalar(c.lambda);
            Tensor moments = c.w2Weight == 0
                    ? null
                    : trial.input(Numbers.narrow(new double[] {forward.mean(), forward.std(), forward.w2()}), 3);
            Tensor dx = trial.result(c.rows(), c.channels);
            Tensor dlambda = trial.output(DType.F32);
            Velu velu = new Velu(c.parameters, c.w2Weight);
            velu.backward(trial.context(), x, dy, lambda, moments, dx, dlambda);
            trial.compare("dx", dx, expected.dx(), expected.dxMagnitude(), Tolerances.VELU_DX);
            trial.compare(
                    "dlambda",
                    dlambda.item(),
                    expected.dlambda(),
                    Tolerances.VELU_DLAMBDA.at(expected.dlambdaMagnitude()));

            Tensor inPlace = trial.updatedData(dyValues, c.rows(), c.channels);
            velu.backward(trial.context(), x, inPlace, lambda, moments, inPlace, null);
            trial.compare("dx in place of dy", inPlace, expected.dx(), expected.dxMagnitude(), Tolerances.VELU_DX);
            if (bitsAreThoseOfAnyAlignment(trial)) {
                trial.compareExactly("dx in place of dy", inPlace, dx.toFloatArray());
            }
        });
    }

    /** CUDA's kernels add in another order where the memory allows accesses of 16 bytes; here tensors are placed at any. */
    private static boolean bitsAreThoseOfAnyAlignment(Trial trial) {
        return trial.context().device().kind() == Device.Kind.CPU;
    }

    private static void emptyTensor(Probe probe) {
        probe.trial("velu_forward", "0x33 is left alone", trial -> {
            Tensor x = trial.data(new float[0], 0, 33);
            Tensor y = trial.result(0, 33);
            new Velu(VeluParameters.released(), 0).forward(trial.context(), x, null, y, null);
            trial.compareExactly("y", y, new float[0]);
            trial.compare("y", y.shape().elements(), 0, 0);
        });
    }

    /** A NaN makes its row NaN, forward and backward, and the moments; other rows do not notice. */
    private static void notANumber(Probe probe, Statistic statistic, Clamp clamp) {
        VeluParameters parameters = parameters(VeluParameters.released(), statistic, clamp);
        float[] values = Numbers.normal(3, 5 * 33, 1);
        values[2 * 33 + 17] = Float.NaN;
        Case c = new Case(statistic + (clamp == null ? "" : " clamp") + " one NaN", parameters, 1f, 0, 33, values);
        forward(probe, c.in(probe));
        backward(probe, c.in(probe));
    }

    /** dx, with W2, and dlambda against difference quotients. */
    private static void gradients(Probe probe, Statistic statistic, Clamp clamp) {
        int rows = 5;
        int channels = 33;
        float w2Weight = 0.5f;
        // The curve's constants, whose gradient has a pole at the clip, stay well inside it.
        VeluParameters parameters = parameters(VeluParameters.curve(), statistic, clamp);
        float[] xValues = Numbers.uniform(11, rows * channels, -1.2, 1.2);
        float[] dyValues = Numbers.normal(12, rows * channels, 1);
        float lambdaValue = 0.8f;
        VeluOracle oracle = new VeluOracle(parameters, lambdaValue);
        String clamped = clamp == null ? "" : " clamp " + clamp.min() + ".." + clamp.max();
        probe.trial("velu_backward", rows + "x" + channels + " " + statistic + clamped + " by differences", trial -> {
            VeluOracle.Forward forward = oracle.forward(Numbers.wide(xValues), channels);
            Tensor x = trial.input(xValues, rows, channels);
            Tensor dy = trial.input(dyValues, rows, channels);
            Tensor lambda = trial.scalar(lambdaValue);
            Tensor moments = trial.input(Numbers.narrow(new double[] {forward.mean(), forward.std(), forward.w2()}), 3);
            Tensor dx = trial.output(DType.F32, rows, channels);
            Tensor dlambda = trial.output(DType.F32);
            new Velu(parameters, w2Weight).backward(trial.context(), x, dy, lambda, moments, dx, dlambda);
            VeluOracle.Backward scale =
                    oracle.backward(Numbers.wide(xValues), Numbers.wide(dyValues), channels, w2Weight);
            DifferenceQuotient.compare(trial, "dx", dx.toFloatArray(), xValues, scale.dxMagnitude(), point -> {
                VeluOracle.Forward f = oracle.forward(point, channels);
                return Numbers.dot(dyValues, f.y()) + w2Weight * f.w2();
            });
            DifferenceQuotient.compare(
                    trial,
                    "dlambda",
                    dlambda.toFloatArray(),
                    new float[] {lambdaValue},
                    new double[] {scale.dlambdaMagnitude()},
                    point -> Numbers.dot(
                            dyValues,
                            new VeluOracle(parameters, point[0])
                                    .forward(Numbers.wide(xValues), channels)
                                    .y()));
        });
    }
}
