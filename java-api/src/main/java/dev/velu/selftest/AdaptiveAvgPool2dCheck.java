package dev.velu.selftest;

import dev.velu.op.AdaptiveAvgPool2d;
import dev.velu.selftest.oracle.AdaptiveAvgPool2dOracle;
import dev.velu.tensor.Tensor;

/** Average pooling to a size: equal windows, overlapping ones, and more outputs than inputs. */
final class AdaptiveAvgPool2dCheck {
    private static final AdaptiveAvgPool2dOracle[] CASES = {
        new AdaptiveAvgPool2dOracle(1, 1, 1, 1, 1, 1),
        new AdaptiveAvgPool2dOracle(2, 14, 14, 33, 7, 7),
        new AdaptiveAvgPool2dOracle(3, 9, 10, 31, 7, 7),
        new AdaptiveAvgPool2dOracle(2, 1, 2, 257, 7, 7),
        new AdaptiveAvgPool2dOracle(1, 33, 5, 17, 4, 3),
        new AdaptiveAvgPool2dOracle(2, 7, 7, 64, 1, 1),
    };

    private AdaptiveAvgPool2dCheck() {}

    static void run(Probe probe) {
        for (AdaptiveAvgPool2dOracle o : CASES) {
            check(probe, o);
        }
    }

    private static void check(Probe probe, AdaptiveAvgPool2dOracle o) {
        AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(o.outHeight(), o.outWidth());
        String name = o.batch() + "x" + o.height() + "x" + o.width() + "x" + o.channels() + " to " + o.outHeight() + "x"
                + o.outWidth();
        long[] xShape = {o.batch(), o.height(), o.width(), o.channels()};
        long[] yShape = {o.batch(), o.outHeight(), o.outWidth(), o.channels()};
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] dy = probe.data(Numbers.normal(2, o.ySize(), 1));
        probe.trial("adaptive_avg_pool2d_forward", name, trial -> {
            Tensor y = trial.result(yShape);
            pool.forward(trial.context(), trial.data(x, xShape), y);
            trial.compare("y", y, o.forward(Numbers.wide(x)), o.forward(Numbers.absolute(x)), Tolerances.MEAN);
        });
        probe.trial("adaptive_avg_pool2d_backward", name, trial -> {
            Tensor dx = trial.result(xShape);
            pool.backward(trial.context(), trial.data(dy, yShape), dx);
            double[] magnitude = o.backward(Numbers.absolute(dy));
            trial.compare("dx", dx, o.backward(Numbers.wide(dy)), magnitude, Tolerances.MEAN);
            DifferenceQuotient.compare(
                    trial, "dx", dx.toFloatArray(), x, magnitude, point -> Numbers.dot(dy, o.forward(point)));
        });
    }
}
