package dev.velu.selftest;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_conv2d_desc;
import dev.velu.device.Device;
import dev.velu.op.Conv2d;
import dev.velu.op.Conv2dPacked;
import dev.velu.op.Pointwise;
import dev.velu.selftest.oracle.Conv2dOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Convolution: stride, padding, dilation, groups, depthwise, bias, activation, pitch, odd sizes. */
final class Conv2dCheck {
    private static final Conv2dOracle[] CASES = {
        new Conv2dOracle(Conv2d.of(1, 0), 1, 1, 1, 1, 1, 1, 1),
        new Conv2dOracle(Conv2d.of(2, 1), 2, 9, 7, 3, 31, 3, 3),
        new Conv2dOracle(Conv2d.of(1, 0), 1, 7, 5, 33, 31, 1, 1),
        new Conv2dOracle(Conv2d.of(1, 1), 3, 8, 8, 64, 32, 3, 3),
        new Conv2dOracle(Conv2d.of(2, 3), 1, 17, 17, 3, 64, 7, 7),
        new Conv2dOracle(Conv2d.of(2, 0), 2, 6, 6, 257, 16, 1, 1),
        new Conv2dOracle(new Conv2d(1, 1, 1, 1, 1, 1, 32), 2, 8, 8, 32, 32, 3, 3),
        new Conv2dOracle(new Conv2d(2, 2, 2, 2, 1, 1, 33), 2, 9, 9, 33, 33, 5, 5),
        new Conv2dOracle(new Conv2d(1, 1, 2, 2, 2, 2, 1), 1, 9, 7, 16, 32, 3, 3),
        new Conv2dOracle(new Conv2d(2, 1, 1, 0, 2, 1, 3), 2, 11, 9, 6, 9, 3, 2),
        new Conv2dOracle(Conv2d.of(1, 4), 1, 3, 3, 2, 5, 5, 5),
        new Conv2dOracle(Conv2d.of(1, 1), 31, 4, 4, 8, 8, 3, 3),
    };

    /** Large enough for the CPU's Winograd algorithm, with channels that fill no vector. */
    private static final Conv2dOracle WINOGRAD = new Conv2dOracle(Conv2d.of(1, 1), 4, 15, 13, 65, 150, 3, 3);

    private Conv2dCheck() {}

    static void run(Probe probe) {
        for (int i = 0; i < CASES.length; i++) {
            check(probe, CASES[i], i % 2 == 1);
        }
        if (probe.context().device().kind() == Device.Kind.CPU) {
            check(probe, WINOGRAD, true);
        }
        Pointwise[] functions = Pointwise.values();
        for (int i = 0; i < functions.length; i++) {
            // A plain one, a 1 x 1 and a depthwise one with each.
            fused(probe, CASES[1], functions[i], i % 2 == 0);
            fused(probe, CASES[2], functions[i], i % 2 == 1);
            fused(probe, CASES[6], functions[i], i % 2 == 0);
        }
        for (int i = 0; i < functions.length; i++) {
            packed(probe, CASES[1 + i % 3], functions[i], i % 2 == 0);
            packed(probe, CASES[6], functions[i], i % 2 == 1);
        }
        pitched(probe, CASES[1], null, 33);
        pitched(probe, CASES[2], null, 7);
        pitched(probe, CASES[3], Pointwise.RELU, 224);
        pitched(probe, CASES[6], null, 64);
        pitched(probe, CASES[9], Pointwise.SILU, 1);
        pitched(probe, CASES[11], null, 24);
        if (probe.dtype() == DType.F32) {
            gradients(probe, CASES[1]);
            gradients(probe, CASES[9]);
        }
    }

    private static String name(Conv2dOracle o) {
        Conv2d c = o.conv();
        return o.batch() + "x" + o.height() + "x" + o.width() + "x" + o.channels() + " to " + o.outputs() + " kernel "
                + o.kernelHeight() + "x" + o.kernelWidth() + " stride " + c.strideHeight() + "x" + c.strideWidth()
                + " padding " + c.paddingHeight() + "x" + c.paddingWidth() + " dilation " + c.dilationHeight() + "x"
                + c.dilationWidth() + " groups " + c.groups();
    }

    private static MemorySegment desc(Probe probe, Arena arena, Conv2dOracle o) {
        MemorySegment desc = velu_conv2d_desc.allocate(arena);
        velu_conv2d_desc.device(desc, probe.context().device().kind().ordinal());
        velu_conv2d_desc.dtype(desc, probe.dtype().code());
        velu_conv2d_desc.batch(desc, o.batch());
        velu_conv2d_desc.in_height(desc, o.height());
        velu_conv2d_desc.in_width(desc, o.width());
        velu_conv2d_desc.in_channels(desc, o.channels());
        velu_conv2d_desc.out_channels(desc, o.outputs());
        velu_conv2d_desc.kernel_height(desc, o.kernelHeight());
        velu_conv2d_desc.kernel_width(desc, o.kernelWidth());
        velu_conv2d_desc.stride_height(desc, o.conv().strideHeight());
        velu_conv2d_desc.stride_width(desc, o.conv().strideWidth());
        velu_conv2d_desc.padding_height(desc, o.conv().paddingHeight());
        velu_conv2d_desc.padding_width(desc, o.conv().paddingWidth());
        velu_conv2d_desc.dilation_height(desc, o.conv().dilationHeight());
        velu_conv2d_desc.dilation_width(desc, o.conv().dilationWidth());
        velu_conv2d_desc.groups(desc, o.conv().groups());
        return desc;
    }

    private static long[] xShape(Conv2dOracle o) {
        return new long[] {o.batch(), o.height(), o.width(), o.channels()};
    }

    private static long[] weightShape(Conv2dOracle o) {
        return new long[] {
            o.outputs(),
            o.kernelHeight(),
            o.kernelWidth(),
            o.channels() / o.conv().groups()
        };
    }

    private static long[] yShape(Conv2dOracle o) {
        return new long[] {o.batch(), o.outHeight(), o.outWidth(), o.outputs()};
    }

    private static void check(Probe probe, Conv2dOracle o, boolean withBias) {
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] weight = probe.data(Numbers.normal(2, o.weightSize(), 0.3));
        float[] bias = withBias ? Numbers.normal(3, o.outputs(), 1) : null;
        float[] dy = probe.data(Numbers.normal(4, o.ySize(), 1));
        Conv2d conv = o.conv();
        String name = name(o) + (withBias ? " bias" : "");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            probe.trial("conv2d_forward", name, desc, trial -> {
                Tensor y = trial.result(yShape(o));
                conv.forward(
                        trial.context(),
                        trial.data(x, xShape(o)),
                        trial.data(weight, weightShape(o)),
                        withBias ? trial.input(bias, o.outputs()) : null,
                        y);
                trial.compare(
                        "y",
                        y,
                        o.forward(Numbers.wide(x), Numbers.wide(weight), withBias ? Numbers.wide(bias) : null),
                        o.forward(
                                Numbers.absolute(x),
                                Numbers.absolute(weight),
                                withBias ? Numbers.absolute(bias) : null),
                        Tolerances.SUM_OF_PRODUCTS);
            });
            probe.trial("conv2d_backward_data", name, desc, trial -> {
                Tensor dx = trial.result(xShape(o));
                conv.backwardData(trial.context(), trial.data(dy, yShape(o)), trial.data(weight, weightShape(o)), dx);
                trial.compare(
                        "dx",
                        dx,
                        o.backwardData(Numbers.wide(dy), Numbers.wide(weight)),
                        o.backwardData(Numbers.absolute(dy), Numbers.absolute(weight)),
                        Tolerances.SUM_OF_PRODUCTS);
            });
            probe.trial("conv2d_backward_weights", name, desc, trial -> {
                Tensor dweight = trial.output(DType.F32, weightShape(o));
                Tensor dbias = withBias ? trial.output(DType.F32, o.outputs()) : null;
                conv.backwardWeights(
                        trial.context(), trial.data(x, xShape(o)), trial.data(dy, yShape(o)), dweight, dbias);
                trial.compare(
                        "dweight",
                        dweight,
                        o.backwardWeights(Numbers.wide(x), Numbers.wide(dy)),
                        o.backwardWeights(Numbers.absolute(x), Numbers.absolute(dy)),
                        Tolerances.SUM_OF_PRODUCTS);
                if (withBias) {
                    trial.compare(
                            "dbias",
                            dbias,
                            o.backwardBias(Numbers.wide(dy)),
                            o.backwardBias(Numbers.absolute(dy)),
                            Tolerances.SUM_OF_PRODUCTS);
                }
            });
        }
    }

    /** With the activation that follows. */
    private static void fused(Probe probe, Conv2dOracle o, Pointwise function, boolean withBias) {
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] weight = probe.data(Numbers.normal(2, o.weightSize(), 0.3));
        float[] bias = withBias ? Numbers.normal(3, o.outputs(), 1) : null;
        String name = name(o) + (withBias ? " bias " : " ") + function.label();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            velu_conv2d_desc.activation(desc, function.code());
            probe.trial("conv2d_forward", name, desc, trial -> {
                Tensor y = trial.result(yShape(o));
                o.conv()
                        .forward(
                                trial.context(),
                                trial.data(x, xShape(o)),
                                trial.data(weight, weightShape(o)),
                                withBias ? trial.input(bias, o.outputs()) : null,
                                function,
                                y);
                ActivationCheck.compareFused(
                        trial,
                        y,
                        function,
                        o.forward(Numbers.wide(x), Numbers.wide(weight), withBias ? Numbers.wide(bias) : null),
                        o.forward(
                                Numbers.absolute(x),
                                Numbers.absolute(weight),
                                withBias ? Numbers.absolute(bias) : null));
            });
        }
    }

    /** Packed for inference, with scale, shift and residual, which may be y. */
    private static void packed(Probe probe, Conv2dOracle o, Pointwise function, boolean inPlace) {
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] weight = probe.data(Numbers.normal(2, o.weightSize(), 0.3));
        float[] shift = Numbers.normal(3, o.outputs(), 1);
        float[] residual = probe.data(Numbers.normal(4, o.ySize(), 1));
        float[] scale = new float[o.outputs()];
        double[] scaled = Numbers.wide(weight);
        for (int i = 0; i < weight.length; i++) {
            // Powers of two: a scaled weight is then not rounded, whatever the type.
            int channel = i / (weight.length / o.outputs());
            scale[channel] = channel % 2 == 0 ? 0.5f : -2;
            scaled[i] *= scale[channel];
        }
        double[] z = o.forward(Numbers.wide(x), scaled, Numbers.wide(shift));
        double[] magnitude = o.forward(Numbers.absolute(x), absolute(scaled), Numbers.absolute(shift));
        double[] stored = new double[z.length];
        for (int i = 0; i < z.length; i++) {
            // A pass of its own may apply the activation to the sum, or add shift and residual to the convolution
            // before.
            double convolution = Math.abs(z[i] - shift[i % shift.length]);
            z[i] += residual[i];
            stored[i] = Math.max(convolution, Math.abs(z[i]));
            magnitude[i] += Math.abs(residual[i]);
        }
        Conv2dPacked form = new Conv2dPacked(o.conv(), Shape.of(weightShape(o)));
        String name = name(o) + " " + function.label() + (inPlace ? " residual in place" : " residual");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            velu_conv2d_desc.activation(desc, function.code());
            probe.trial("conv2d_packed_forward", name, desc, trial -> {
                Tensor image = trial.data(x, xShape(o));
                Tensor y = inPlace ? trial.updatedData(residual, yShape(o)) : trial.result(yShape(o));
                long bytes =
                        form.packedType(trial.context(), image.type()).shape().size(0);
                try (Tensor packed = Tensor.allocate(trial.context(), DType.U8, bytes)) {
                    Tensor packedBias = trial.output(DType.F32, o.outputs());
                    form.pack(
                            trial.context(),
                            image.type(),
                            trial.input(weight, weightShape(o)),
                            null,
                            trial.input(scale, o.outputs()),
                            trial.input(shift, o.outputs()),
                            packed,
                            packedBias);
                    form.forward(
                            trial.context(),
                            image,
                            packed,
                            packedBias,
                            inPlace ? y : trial.data(residual, yShape(o)),
                            function,
                            y);
                    ActivationCheck.compareFused(trial, y, function, z, magnitude, stored);
                }
            });
        }
    }

    private static double[] absolute(double[] values) {
        return Arrays.stream(values).map(Math::abs).toArray();
    }

    /**
     * With the pixels of y and dy farther apart than their channels need. The tensors are those of the dense case, but the
     * implementation may be another.
     */
    private static void pitched(Probe probe, Conv2dOracle o, Pointwise function, int gap) {
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] weight = probe.data(Numbers.normal(2, o.weightSize(), 0.3));
        float[] dy = probe.data(Numbers.normal(4, o.ySize(), 1));
        int pitch = o.outputs() + gap;
        String name = name(o) + " pitch " + pitch;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            velu_conv2d_desc.y_pitch(desc, pitch);
            MemorySegment forward = desc(probe, arena, o);
            velu_conv2d_desc.y_pitch(forward, pitch);
            velu_conv2d_desc.activation(
                    forward, function == null ? VeluNative.VELU_ACTIVATION_IDENTITY() : function.code());
            probe.trial("conv2d_forward", name + (function == null ? "" : " " + function.label()), forward, trial -> {
                PitchedRows y = PitchedRows.result(trial, o.ySize() / o.outputs(), o.outputs(), pitch);
                int status = VeluNative.velu_conv2d_forward(
                        trial.context().handle(),
                        forward,
                        trial.data(x, xShape(o)).segment(),
                        trial.data(weight, weightShape(o)).segment(),
                        MemorySegment.NULL,
                        y.segment());
                trial.context().check(status, "velu_conv2d_forward");
                double[] z = o.forward(Numbers.wide(x), Numbers.wide(weight), null);
                double[] magnitude = o.forward(Numbers.absolute(x), Numbers.absolute(weight), null);
                if (function == null) {
                    y.compare(trial, "y", z, magnitude, Tolerances.SUM_OF_PRODUCTS);
                } else {
                    ActivationCheck.compareFused(trial, y, function, z, magnitude);
                }
            });
            probe.trial("conv2d_backward_data", name, desc, trial -> {
                Tensor dx = trial.result(xShape(o));
                int status = VeluNative.velu_conv2d_backward_data(
                        trial.context().handle(),
                        desc,
                        PitchedRows.data(trial, dy, o.outputs(), pitch).segment(),
                        trial.data(weight, weightShape(o)).segment(),
                        dx.segment());
                trial.context().check(status, "velu_conv2d_backward_data");
                trial.compare(
                        "dx",
                        dx,
                        o.backwardData(Numbers.wide(dy), Numbers.wide(weight)),
                        o.backwardData(Numbers.absolute(dy), Numbers.absolute(weight)),
                        Tolerances.SUM_OF_PRODUCTS);
            });
            probe.trial("conv2d_backward_weights", name, desc, trial -> {
                Tensor dweight = trial.output(DType.F32, weightShape(o));
                Tensor dbias = trial.output(DType.F32, o.outputs());
                int status = VeluNative.velu_conv2d_backward_weights(
                        trial.context().handle(),
                        desc,
                        trial.data(x, xShape(o)).segment(),
                        PitchedRows.data(trial, dy, o.outputs(), pitch).segment(),
                        dweight.segment(),
                        dbias.segment());
                trial.context().check(status, "velu_conv2d_backward_weights");
                trial.compare(
                        "dweight",
                        dweight,
                        o.backwardWeights(Numbers.wide(x), Numbers.wide(dy)),
                        o.backwardWeights(Numbers.absolute(x), Numbers.absolute(dy)),
                        Tolerances.SUM_OF_PRODUCTS);
                trial.compare(
                        "dbias",
                        dbias,
                        o.backwardBias(Numbers.wide(dy)),
                        o.backwardBias(Numbers.absolute(dy)),
                        Tolerances.SUM_OF_PRODUCTS);
            });
        }
    }

    private static void gradients(Probe probe, Conv2dOracle o) {
        float[] x = probe.data(Numbers.normal(1, o.xSize(), 1));
        float[] weight = probe.data(Numbers.normal(2, o.weightSize(), 0.3));
        float[] bias = Numbers.normal(3, o.outputs(), 1);
        float[] dy = probe.data(Numbers.normal(4, o.ySize(), 1));
        String name = name(o) + " by differences";
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, o);
            probe.trial("conv2d_backward_data", name, desc, trial -> {
                Tensor dx = trial.result(xShape(o));
                o.conv()
                        .backwardData(
                                trial.context(), trial.data(dy, yShape(o)), trial.data(weight, weightShape(o)), dx);
                DifferenceQuotient.compare(
                        trial,
                        "dx",
                        dx.toFloatArray(),
                        x,
                        o.backwardData(Numbers.absolute(dy), Numbers.absolute(weight)),
                        point -> Numbers.dot(dy, o.forward(point, Numbers.wide(weight), null)));
            });
            probe.trial("conv2d_backward_weights", name, desc, trial -> {
                Tensor dweight = trial.output(DType.F32, weightShape(o));
                Tensor dbias = trial.output(DType.F32, o.outputs());
                o.conv()
                        .backwardWeights(
                                trial.context(), trial.data(x, xShape(o)), trial.data(dy, yShape(o)), dweight, dbias);
                DifferenceQuotient.compare(
                        trial,
                        "dweight",
                        dweight.toFloatArray(),
                        weight,
                        o.backwardWeights(Numbers.absolute(x), Numbers.absolute(dy)),
                        point -> Numbers.dot(dy, o.forward(Numbers.wide(x), point, null)));
                DifferenceQuotient.compare(
                        trial,
                        "dbias",
                        dbias.toFloatArray(),
                        bias,
                        o.backwardBias(Numbers.absolute(dy)),
                        point -> Numbers.dot(dy, o.forward(Numbers.wide(x), Numbers.wide(weight), point)));
            });
        }
    }
}
