package dev.velu.selftest;

import dev.velu.bindings.velu_scaled_linear_desc;
import dev.velu.op.ScaledLinear;
import dev.velu.selftest.oracle.ScaledLinearOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A 1 x 1 convolution of images whose channels are scaled first. */
final class ScaledLinearCheck {
    /** Batch, side of the image, channels in and out. */
    private static final int[][] SHAPES = {
        {1, 1, 1, 1}, {2, 5, 33, 31}, {3, 7, 96, 24}, {1, 17, 31, 257}, {31, 1, 257, 3}
    };

    private ScaledLinearCheck() {}

    static void run(Probe probe) {
        for (int[] s : SHAPES) {
            check(probe, s[0], s[1], s[2], s[3]);
        }
    }

    private static void check(Probe probe, int batch, int side, int in, int out) {
        ScaledLinearOracle o = new ScaledLinearOracle(batch, side * side, in, out);
        ScaledLinear operation = new ScaledLinear();
        String name = batch + "x" + side + "x" + side + "x" + in + " to " + out;
        long[] xShape = {batch, side, side, in};
        long[] yShape = {batch, side, side, out};
        long[] scaleShape = {batch, 1, 1, in};
        long[] weightShape = {out, 1, 1, in};
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] scale = probe.data(Numbers.uniform(2, batch * in, 0.1, 1));
        float[] weight = probe.data(Numbers.normal(3, out * in, 0.3));
        float[] dy = probe.data(Numbers.normal(4, o.ySize(), 1));
        double[] wideX = Numbers.wide(x);
        double[] wideScale = Numbers.wide(scale);
        double[] wideWeight = Numbers.wide(weight);
        double[] wideDy = Numbers.wide(dy);
        double[] absoluteX = Numbers.absolute(x);
        double[] absoluteScale = Numbers.absolute(scale);
        double[] absoluteWeight = Numbers.absolute(weight);
        double[] absoluteDy = Numbers.absolute(dy);
        Tolerance tolerance = probe.dtype() == DType.BF16 ? Tolerances.SCALED_PRODUCT_BF16 : Tolerances.SUM_OF_PRODUCTS;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = velu_scaled_linear_desc.allocate(arena);
            velu_scaled_linear_desc.device(desc, probe.context().device().kind().ordinal());
            velu_scaled_linear_desc.dtype(desc, probe.dtype().code());
            velu_scaled_linear_desc.batch(desc, batch);
            velu_scaled_linear_desc.pixels(desc, (long) side * side);
            velu_scaled_linear_desc.in_features(desc, in);
            velu_scaled_linear_desc.out_features(desc, out);
            probe.trial("scaled_linear_forward", name, desc, trial -> {
                Tensor y = trial.result(yShape);
                operation.forward(
                        trial.context(),
                        trial.data(x, xShape),
                        trial.data(scale, scaleShape),
                        trial.data(weight, weightShape),
                        y);
                trial.compare(
                        "y",
                        y,
                        o.forward(wideX, wideScale, wideWeight),
                        o.forward(absoluteX, absoluteScale, absoluteWeight),
                        tolerance);
            });
            probe.trial("scaled_linear_backward_data", name, desc, trial -> {
                Tensor dx = trial.result(xShape);
                Tensor dscale = trial.result(scaleShape);
                operation.backwardData(
                        trial.context(),
                        trial.data(x, xShape),
                        trial.data(scale, scaleShape),
                        trial.data(dy, yShape),
                        trial.data(weight, weightShape),
                        dx,
                        dscale);
                double[] magnitude = o.backwardX(absoluteScale, absoluteDy, absoluteWeight);
                trial.compare("dx", dx, o.backwardX(wideScale, wideDy, wideWeight), magnitude, tolerance);
                double[] scaleMagnitude = o.backwardScale(absoluteX, absoluteDy, absoluteWeight);
                trial.compare("dscale", dscale, o.backwardScale(wideX, wideDy, wideWeight), scaleMagnitude, tolerance);
                DifferenceQuotient.compare(
                        trial,
                        "dx",
                        dx.toFloatArray(),
                        x,
                        magnitude,
                        point -> Numbers.dot(dy, o.forward(point, wideScale, wideWeight)));
                DifferenceQuotient.compare(
                        trial,
                        "dscale",
                        dscale.toFloatArray(),
                        scale,
                        scaleMagnitude,
                        point -> Numbers.dot(dy, o.forward(wideX, point, wideWeight)));
            });
            probe.trial("scaled_linear_backward_weights", name, desc, trial -> {
                Tensor dweight = trial.output(DType.F32, weightShape);
                operation.backwardWeights(
                        trial.context(),
                        trial.data(x, xShape),
                        trial.data(scale, scaleShape),
                        trial.data(dy, yShape),
                        dweight);
                double[] magnitude = o.backwardWeights(absoluteX, absoluteScale, absoluteDy);
                trial.compare("dweight", dweight, o.backwardWeights(wideX, wideScale, wideDy), magnitude, tolerance);
                DifferenceQuotient.compare(
                        trial,
                        "dweight",
                        dweight.toFloatArray(),
                        weight,
                        magnitude,
                        point -> Numbers.dot(dy, o.forward(wideX, wideScale, point)));
            });
        }
    }
}
