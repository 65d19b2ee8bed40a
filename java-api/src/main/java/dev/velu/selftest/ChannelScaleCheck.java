package dev.velu.selftest;

import dev.velu.op.ChannelScale;
import dev.velu.selftest.oracle.ChannelScaleOracle;
import dev.velu.tensor.Tensor;

/** Channels multiplied by factors of each image. */
final class ChannelScaleCheck {
    private static final int[][] SHAPES = {{1, 1, 1}, {3, 7, 31}, {2, 5, 257}, {31, 1, 33}, {2, 33, 3}, {5, 4, 64}};

    private ChannelScaleCheck() {}

    static void run(Probe probe) {
        for (int[] shape : SHAPES) {
            check(probe, shape[0], shape[1], shape[2]);
        }
    }

    private static void check(Probe probe, int batch, int side, int channels) {
        ChannelScaleOracle o = new ChannelScaleOracle(batch, side * side, channels);
        ChannelScale operation = new ChannelScale();
        String name = batch + "x" + side + "x" + side + "x" + channels;
        long[] shape = {batch, side, side, channels};
        long[] scaleShape = {batch, 1, 1, channels};
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] scale = probe.data(Numbers.uniform(2, o.scaleSize(), 0, 1));
        float[] dy = probe.data(Numbers.normal(3, o.xSize(), 1));
        probe.trial("channel_scale_forward", name, trial -> {
            float[] expected = Numbers.narrow(o.forward(Numbers.wide(x), Numbers.wide(scale)));
            Tensor factors = trial.data(scale, scaleShape);
            Tensor y = trial.result(shape);
            operation.forward(trial.context(), trial.data(x, shape), factors, y);
            trial.compareExactly("y", y, expected);
            Tensor inPlace = trial.updatedData(x, shape);
            operation.forward(trial.context(), inPlace, factors, inPlace);
            trial.compareExactly("y in place of x", inPlace, expected);
        });
        probe.trial("channel_scale_backward", name, trial -> {
            float[] expected = Numbers.narrow(o.forward(Numbers.wide(dy), Numbers.wide(scale)));
            Tensor input = trial.data(x, shape);
            Tensor factors = trial.data(scale, scaleShape);
            Tensor dx = trial.result(shape);
            Tensor dscale = trial.result(scaleShape);
            operation.backward(trial.context(), input, factors, trial.data(dy, shape), dx, dscale);
            trial.compareExactly("dx", dx, expected);
            double[] magnitude = o.backwardScale(Numbers.absolute(x), Numbers.absolute(dy));
            trial.compare(
                    "dscale",
                    dscale,
                    o.backwardScale(Numbers.wide(x), Numbers.wide(dy)),
                    magnitude,
                    Tolerances.SUM_OF_PRODUCTS);
            DifferenceQuotient.compare(
                    trial,
                    "dscale",
                    dscale.toFloatArray(),
                    scale,
                    magnitude,
                    point -> Numbers.dot(dy, o.forward(Numbers.wide(x), point)));
            Tensor inPlace = trial.updatedData(dy, shape);
            Tensor again = trial.result(scaleShape);
            operation.backward(trial.context(), input, factors, inPlace, inPlace, again);
            trial.compareExactly("dx in place of dy", inPlace, expected);
            trial.compareExactly("dscale with dx in place of dy", again, dscale.toFloatArray());
        });
    }
}
