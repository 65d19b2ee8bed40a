package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_conv2d_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Packing;
import dev.velu.graph.Value;
import dev.velu.onnx.Attribute;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * 2-D convolution (cross-correlation) with zero padding. Shapes: x {@code [N, H, W, C]}, weight
 * {@code [O, kernelHeight, kernelWidth, C / groups]} of the dtype of x, bias {@code [O]} F32 or absent, y {@code [N, H',
 * W', O]} with {@code H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1}, rounded down.
 */
public record Conv2d(
        int strideHeight,
        int strideWidth,
        int paddingHeight,
        int paddingWidth,
        int dilationHeight,
        int dilationWidth,
        int groups) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if a stride, a dilation or the number of groups is not positive, or a padding is
     *     negative
     */
    public Conv2d {
        positive("stride", Math.min(strideHeight, strideWidth));
        positive("dilation", Math.min(dilationHeight, dilationWidth));
        positive("groups", groups);
        if (Math.min(paddingHeight, paddingWidth) < 0) {
            throw new IllegalArgumentException(
                    "padding " + Math.min(paddingHeight, paddingWidth) + " is negative; it is zero or more");
        }
    }

    /** The same stride and padding on both axes, no dilation, one group. */
    public static Conv2d of(int stride, int padding) {
        return new Conv2d(stride, stride, padding, padding, 1, 1, 1);
    }

    /**
     * Records y = conv(x, weight) + bias. A weight of another dtype than x, such as an F32 parameter, is cast to it first;
     * the parameter's gradient stays F32. bias may be null.
     */
    public Value apply(Graph graph, Value x, Value weight, Value bias) {
        return graph.apply(new Forward(this), x, Cast.weight(graph, x, weight), bias)
                .getFirst();
    }

    /** y = conv(x, weight) + bias, at once. bias may be null. */
    public void forward(Context context, Tensor x, Tensor weight, Tensor bias, Tensor y) {
        Eager.run(context, new Forward(this), Arrays.asList(x, weight, bias), List.of(y));
    }

    /** y = f(conv(x, weight) + bias), at once. bias may be null. */
    public void forward(Context context, Tensor x, Tensor weight, Tensor bias, Pointwise activation, Tensor y) {
        Eager.run(context, new Forward(this, activation), Arrays.asList(x, weight, bias), List.of(y));
    }

    /** dx, at once; its shape is that of the forward's x. */
    public void backwardData(Context context, Tensor dy, Tensor weight, Tensor dx) {
        Eager.run(context, new BackwardData(this, dx.shape()), List.of(dy, weight), List.of(dx));
    }

    /** dweight and dbias (may be null), both F32, at once. */
    public void backwardWeights(Context context, Tensor x, Tensor dy, Tensor dweight, Tensor dbias) {
        Eager.run(
                context,
                new BackwardWeights(this, dweight.shape(), dbias != null),
                List.of(x, dy),
                Arrays.asList(dweight, dbias));
    }

    /** The shape of y. */
    Shape outputShape(String operation, Shape x, Shape weight) {
        if (weight.size(3) * groups != x.size(3) || weight.size(0) % groups != 0) {
            throw new IllegalArgumentException(
                    operation + ": weight " + weight + " with " + groups + " groups does not fit x " + x
                            + "; expected [O, kh, kw, " + x.size(3) + " / groups], groups dividing O");
        }
        long height = outputSize(x.size(1), weight.size(1), strideHeight, paddingHeight, dilationHeight);
        long width = outputSize(x.size(2), weight.size(2), strideWidth, paddingWidth, dilationWidth);
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException(operation + ": x " + x + " is smaller than the kernel of weight "
                    + weight + " with padding " + paddingHeight + " x " + paddingWidth);
        }
        return Shape.of(x.size(0), height, width, weight.size(0));
    }

    private static long outputSize(long size, long kernel, int stride, int padding, int dilation) {
        return Math.floorDiv(size + 2L * padding - dilation * (kernel - 1) - 1, stride) + 1;
    }

    private static void positive(String name, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(name + " " + value + " is not positive");
        }
    }

    /** @param y type of y, or of dy, with its pitch */
    MemorySegment desc(Arena arena, int device, Shape x, Shape weight, TensorType y, Pointwise activation) {
        MemorySegment desc = velu_conv2d_desc.allocate(arena);
        velu_conv2d_desc.device(desc, device);
        velu_conv2d_desc.dtype(desc, y.dtype().code());
        velu_conv2d_desc.batch(desc, x.size(0));
        velu_conv2d_desc.in_height(desc, x.size(1));
        velu_conv2d_desc.in_width(desc, x.size(2));
        velu_conv2d_desc.in_channels(desc, x.size(3));
        velu_conv2d_desc.out_channels(desc, weight.size(0));
        velu_conv2d_desc.kernel_height(desc, Math.toIntExact(weight.size(1)));
        velu_conv2d_desc.kernel_width(desc, Math.toIntExact(weight.size(2)));
        velu_conv2d_desc.stride_height(desc, strideHeight);
        velu_conv2d_desc.stride_width(desc, strideWidth);
        velu_conv2d_desc.padding_height(desc, paddingHeight);
        velu_conv2d_desc.padding_width(desc, paddingWidth);
        velu_conv2d_desc.dilation_height(desc, dilationHeight);
        velu_conv2d_desc.dilation_width(desc, dilationWidth);
        velu_conv2d_desc.groups(desc, groups);
        velu_conv2d_desc.activation(desc, Activation.code(activation));
        velu_conv2d_desc.y_pitch(desc, Types.pitch(y));
        return desc;
    }

    private void prepare(Context context, Shape x, Shape weight, TensorType y, Pointwise activation, int pass) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(arena, context.device().kind().ordinal(), x, weight, y, activation);
            context.check(VeluNative.velu_conv2d_prepare(context.handle(), desc, pass), "velu_conv2d_prepare");
        }
    }

    /** Bytes of the pixels of x that any kernel covers: a stride larger than the kernel passes over some. */
    long coveredBytes(TensorType x, Shape weight) {
        double rows = Math.min(1, (double) weight.size(1) / strideHeight);
        double columns = Math.min(1, (double) weight.size(2) / strideWidth);
        return Math.round(Operation.bytes(x) * rows * columns);
    }

    static long macs(Shape y, Shape weight) {
        return y.elements() * weight.size(1) * weight.size(2) * weight.size(3);
    }

    /** Inputs x, weight, bias or null; output y, to which the activation, or null, is applied. */
    record Forward(Conv2d conv, Pointwise activation) implements Operation {
        Forward(Conv2d conv) {
            this(conv, null);
        }

        /** Whether every pixel of y is the product of the same pixel of x and a 1 x 1 kernel. */
        boolean isLinear() {
            return conv.equals(of(1, 0)) && activation == null;
        }

        @Override
        public String name() {
            return "conv2d_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 4);
            Types.sameDtype(name(), weight, "weight", x, "x");
            Types.optional(name(), inputs, 2, "bias", DType.F32, weight.shape().size(0));
            return List.of(new TensorType(x.dtype(), conv.outputShape(name(), x.shape(), weight.shape())));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = conv.desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0).shape(),
                    b.inputType(1).shape(),
                    b.outputType(0),
                    activation);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment bias = b.input(2);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_conv2d_forward(context, desc, x, weight, bias, y);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            conv.prepare(
                    context,
                    inputs.get(0).shape(),
                    inputs.get(1).shape(),
                    outputs.get(0),
                    activation,
                    VeluNative.VELU_PASS_FORWARD());
        }

        @Override
        public boolean writesPitched(int output) {
            return output == 0;
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            return activation == null
                            && next.operation() instanceof Activation.Forward pointwise
                            && Activation.joins(pointwise.function(), differentiated)
                    ? new Fused(new Forward(conv, pointwise.function()), self.inputs(), next.outputs())
                    : null;
        }

        @Override
        public Fused pack(Node self, Node next, Packing packing) {
            return ScaledLinear.takes(self) ? null : Conv2dPacked.of(conv, activation, self, next, packing);
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            List<String> inputs = node.inputs().stream()
                    .filter(Objects::nonNull)
                    .map(onnx::name)
                    .toList();
            Shape weight = node.input(1).type().shape();
            String y = onnx.node(
                    "Conv",
                    inputs,
                    new Attribute.Ints("kernel_shape", weight.size(1), weight.size(2)),
                    new Attribute.Ints("strides", conv.strideHeight, conv.strideWidth),
                    new Attribute.Ints(
                            "pads", conv.paddingHeight, conv.paddingWidth, conv.paddingHeight, conv.paddingWidth),
                    new Attribute.Ints("dilations", conv.dilationHeight, conv.dilationWidth),
                    new Attribute.Int("group", conv.groups));
            onnx.define(node.output(0), activation == null ? y : activation.toOnnx(y, onnx));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value weight = node.input(1);
            Value bias = node.input(2);
            Value dy = Activation.gradientBefore(
                    activation, gradients.graph(), node.output(0), gradients.of(node.output(0)));
            if (gradients.wanted(weight) || gradients.wanted(bias)) {
                List<Value> d = gradients
                        .graph()
                        .apply(new BackwardWeights(conv, weight.type().shape(), bias != null), x, dy);
                Cast.addGradient(gradients, weight, d.get(0));
                if (bias != null) {
                    gradients.add(bias, d.get(1));
                }
            }
            if (gradients.wanted(x)) {
                gradients.add(
                        x,
                        gradients
                                .graph()
                                .apply(new BackwardData(conv, x.type().shape()), dy, weight)
                                .getFirst());
            }
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return Conv2d.macs(outputs.get(0).shape(), inputs.get(1).shape());
        }

        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            TensorType x = inputs.get(0);
            return Operation.super.bytes(inputs, outputs)
                    - Operation.bytes(x)
                    + conv.coveredBytes(x, inputs.get(1).shape());
        }
    }

    /** Inputs dy, weight; output dx of the given shape. */
    record BackwardData(Conv2d conv, Shape x) implements Operation {
        @Override
        public String name() {
            return "conv2d_backward_data";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 4);
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 4);
            Types.sameDtype(name(), weight, "weight", dy, "dy");
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), conv.outputShape(name(), x, weight.shape())));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc =
                    conv.desc(b.arena(), b.device(), x, b.inputType(1).shape(), b.inputType(0), null);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_conv2d_backward_data(context, desc, dy, weight, dx);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            conv.prepare(context, x, inputs.get(1).shape(), inputs.get(0), null, VeluNative.VELU_PASS_BACKWARD_DATA());
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0;
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return Conv2d.macs(inputs.get(0).shape(), inputs.get(1).shape());
        }
    }

    /** Inputs x, dy; outputs dweight of the given shape, dbias or null. */
    record BackwardWeights(Conv2d conv, Shape weight, boolean bias) implements Operation {
        @Override
        public String name() {
            return "conv2d_backward_weights";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            TensorType dy = Types.floating(name(), inputs, 1, "dy", 4);
            Types.same(name(), dy, "dy", new TensorType(x.dtype(), conv.outputShape(name(), x.shape(), weight)));
            List<TensorType> outputs =
                    Arrays.asList(new TensorType(DType.F32, weight), bias ? TensorType.f32(weight.size(0)) : null);
            return Collections.unmodifiableList(outputs);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = conv.desc(b.arena(), b.device(), b.inputType(0).shape(), weight, b.inputType(1), null);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment dweight = b.output(0);
            MemorySegment dbias = b.output(1);
            return () -> VeluNative.velu_conv2d_backward_weights(context, desc, x, dy, dweight, dbias);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            conv.prepare(
                    context,
                    inputs.get(0).shape(),
                    weight,
                    inputs.get(1),
                    null,
                    VeluNative.VELU_PASS_BACKWARD_WEIGHTS());
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 1;
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return Conv2d.macs(inputs.get(1).shape(), weight);
        }

        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            TensorType x = inputs.get(0);
            return Operation.super.bytes(inputs, outputs) - Operation.bytes(x) + conv.coveredBytes(x, weight);
        }
    }
}
