package dev.velu.selftest;

import dev.velu.op.GlobalAvgPool;
import dev.velu.selftest.oracle.GlobalAvgPoolOracle;
import dev.velu.tensor.Tensor;

/** Global average pooling of square images. */
final class GlobalAvgPoolCheck {
    private static final int[][] SHAPES = {{1, 1, 1}, {3, 7, 31}, {2, 5, 257}, {1, 1, 2048}, {31, 4, 33}, {2, 33, 3}};

    private GlobalAvgPoolCheck() {}

    static void run(Probe probe) {
        for (int[] shape : SHAPES) {
            check(probe, shape[0], shape[1], shape[2]);
        }
    }

    private static void check(Probe probe, int batch, int side, int channels) {
        GlobalAvgPoolOracle o = new GlobalAvgPoolOracle(batch, side * side, channels);
        String name = batch + "x" + side + "x" + side + "x" + channels;
        float[] x = probe.data(Numbers.normal(1, batch * side * side * channels, 1));
        float[] dy = probe.data(Numbers.normal(2, batch * channels, 1));
        probe.trial("global_avg_pool_forward", name, trial -> {
            Tensor y = trial.result(batch, channels);
            new GlobalAvgPool().forward(trial.context(), trial.data(x, batch, side, side, channels), y);
            trial.compare("y", y, o.forward(Numbers.wide(x)), o.forward(Numbers.absolute(x)), Tolerances.MEAN);
        });
        probe.trial("global_avg_pool_backward", name, trial -> {
            Tensor dx = trial.result(batch, side, side, channels);
            new GlobalAvgPool().backward(trial.context(), trial.data(dy, batch, channels), dx);
            double[] magnitude = o.backward(Numbers.absolute(dy));
            trial.compare("dx", dx, o.backward(Numbers.wide(dy)), magnitude, Tolerances.MEAN);
            DifferenceQuotient.compare(
                    trial, "dx", dx.toFloatArray(), x, magnitude, point -> Numbers.dot(dy, o.forward(point)));
        });
    }
}
