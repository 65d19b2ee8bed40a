package dev.velu.selftest;

import dev.velu.op.LayerNorm;
import dev.velu.selftest.oracle.LayerNormOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** Layer normalization, with and without the residual sum before it, and what flows back beside it. */
final class LayerNormCheck {
    private static final int[][] SHAPES = {{1, 1}, {31, 33}, {257, 31}, {7, 257}, {9, 768}, {3, 2048}, {2000, 8}};
    private static final float EPS = 1e-6f;

    private LayerNormCheck() {}

    static void run(Probe probe) {
        for (int i = 0; i < SHAPES.length; i++) {
            boolean residual = i % 2 == 1;
            check(probe, SHAPES[i][0], SHAPES[i][1], residual, i % 3 > 0, 0);
            check(probe, SHAPES[i][0], SHAPES[i][1], !residual, i % 3 == 0, 0);
        }
        // A mean far from zero is where a variance from squares would lose everything.
        check(probe, 31, 257, false, false, 1000);
    }

    /** Multiples of 1/8 below 4, whose sums bfloat16 holds: then it does not matter which of both is normalized. */
    private static float[] values(long seed, int count, double mean) {
        float[] values = Numbers.normal(seed, count, 1.5);
        for (int i = 0; i < count; i++) {
            values[i] = (float) (Math.clamp(Math.rint(8 * values[i]), -31, 31) / 8 + mean);
        }
        return values;
    }

    private static void check(
            Probe probe, int rows, int channels, boolean withResidual, boolean withAddend, double mean) {
        int size = rows * channels;
        LayerNorm norm = new LayerNorm(EPS);
        LayerNormOracle o = new LayerNormOracle(rows, channels, EPS);
        float[] x = probe.data(values(1, size, mean));
        float[] residual = withResidual ? values(2, size, 0) : null;
        float[] z = x.clone();
        for (int i = 0; i < size && withResidual; i++) {
            z[i] += residual[i];
        }
        float[] weight = Numbers.uniform(3, channels, 0.5, 1.5);
        float[] bias = Numbers.normal(4, channels, 0.5);
        String name = rows + "x" + channels + (withResidual ? " residual" : "") + (mean == 0 ? "" : " far means");
        LayerNormOracle.Forward forward = o.forward(Numbers.wide(z), Numbers.wide(weight), Numbers.wide(bias));
        probe.trial("layer_norm_forward", name, trial -> {
            Tensor input = trial.data(x, rows, channels);
            Tensor other = withResidual ? trial.data(residual, rows, channels) : null;
            Tensor scale = trial.input(weight, channels);
            Tensor shift = trial.input(bias, channels);
            Tensor y = trial.result(rows, channels);
            Tensor sum = withResidual ? trial.result(rows, channels) : null;
            Tensor savedMean = trial.output(DType.F32, rows);
            Tensor savedInvStd = trial.output(DType.F32, rows);
            norm.forward(trial.context(), input, other, scale, shift, y, sum, savedMean, savedInvStd);
            trial.compare("y", y, forward.y(), forward.yMagnitude(), Tolerances.LAYER_NORM_Y);
            trial.compare("savedMean", savedMean, forward.mean(), forward.meanMagnitude(), Tolerances.BATCH_STATISTICS);
            trial.compare("savedInvStd", savedInvStd, forward.invStd(), Tolerances.BATCH_STATISTICS);
            if (withResidual) {
                trial.compareExactly("sum", sum, z);
            }
            Tensor inPlace = trial.updatedData(x, rows, channels);
            Tensor sumInPlace = withResidual ? trial.updatedData(residual, rows, channels) : null;
            norm.forward(trial.context(), inPlace, sumInPlace, scale, shift, inPlace, sumInPlace, null, null);
            trial.compareExactly("y in place of x", inPlace, y.toFloatArray());
            if (withResidual) {
                trial.compareExactly("sum in place of residual", sumInPlace, z);
            }
        });
        float[] dy = probe.data(Numbers.normal(5, size, 1));
        float[] addend = withAddend ? probe.data(Numbers.normal(6, size, 1)) : null;
        double[] wideAddend = withAddend ? Numbers.wide(addend) : null;
        probe.trial("layer_norm_backward", name + (withAddend ? " addend" : ""), trial -> {
            LayerNormOracle.Backward expected =
                    o.backward(Numbers.wide(z), Numbers.wide(dy), wideAddend, Numbers.wide(weight));
            Tensor input = trial.data(z, rows, channels);
            Tensor scale = trial.input(weight, channels);
            Tensor savedMean = trial.input(Numbers.narrow(forward.mean()), rows);
            Tensor savedInvStd = trial.input(Numbers.narrow(forward.invStd()), rows);
            Tensor dx = trial.result(rows, channels);
            Tensor dweight = trial.output(DType.F32, channels);
            Tensor dbias = trial.output(DType.F32, channels);
            norm.backward(
                    trial.context(),
                    input,
                    trial.data(dy, rows, channels),
                    withAddend ? trial.data(addend, rows, channels) : null,
                    scale,
                    savedMean,
                    savedInvStd,
                    dx,
                    dweight,
                    dbias);
            trial.compare("dx", dx, expected.dz(), expected.dzMagnitude(), Tolerances.LAYER_NORM_GRADIENT);
            trial.compare(
                    "dweight",
                    dweight,
                    expected.dweight(),
                    expected.dweightMagnitude(),
                    Tolerances.LAYER_NORM_GRADIENT);
            trial.compare("dbias", dbias, expected.dbias(), expected.dbiasMagnitude(), Tolerances.SUM_OF_PRODUCTS);
            DifferenceQuotient.compare(
                    trial,
                    "dx",
                    dx.toFloatArray(),
                    z,
                    expected.dzMagnitude(),
                    point -> Numbers.dot(
                                    dy,
                                    o.forward(point, Numbers.wide(weight), Numbers.wide(bias))
                                            .y())
                            + (withAddend ? Numbers.dot(addend, point) : 0));
            Tensor inPlace = trial.updatedData(withAddend ? addend : dy, rows, channels);
            norm.backward(
                    trial.context(),
                    input,
                    withAddend ? trial.data(dy, rows, channels) : inPlace,
                    withAddend ? inPlace : null,
                    scale,
                    savedMean,
                    savedInvStd,
                    inPlace,
                    trial.output(DType.F32, channels),
                    trial.output(DType.F32, channels));
            trial.compareExactly("dx in place of " + (withAddend ? "addend" : "dy"), inPlace, dx.toFloatArray());
        });
    }
}
