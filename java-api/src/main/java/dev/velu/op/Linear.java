package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_linear_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
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

/**
 * Fully connected layer {@code y = x weight^T + bias} over the last axis. Shapes: x {@code [.., in]} of two axes or more,
 * weight {@code [out, in]} of the dtype of x, bias {@code [out]} F32 or absent, y {@code [.., out]}.
 */
public record Linear() {
    /**
     * Records y = x weight^T + bias. A weight of another dtype than x, such as an F32 parameter, is cast to it first; the
     * parameter's gradient stays F32. bias may be null.
     */
    public Value apply(Graph graph, Value x, Value weight, Value bias) {
        return graph.apply(new Forward(), x, Cast.weight(graph, x, weight), bias)
                .getFirst();
    }

    /** y = x weight^T + bias, at once. bias may be null. */
    public void forward(Context context, Tensor x, Tensor weight, Tensor bias, Tensor y) {
        Eager.run(context, new Forward(), Arrays.asList(x, weight, bias), List.of(y));
    }

    /** y = f(x weight^T + bias), at once. bias may be null. */
    public void forward(Context context, Tensor x, Tensor weight, Tensor bias, Pointwise activation, Tensor y) {
        Eager.run(context, new Forward(activation), Arrays.asList(x, weight, bias), List.of(y));
    }

    /** dx = dy weight, at once. */
    public void backwardData(Context context, Tensor dy, Tensor weight, Tensor dx) {
        Eager.run(context, new BackwardData(), List.of(dy, weight), List.of(dx));
    }

    /** dweight = dy^T x and dbias = sum of dy over rows (may be null), both F32, at once. */
    public void backwardWeights(Context context, Tensor x, Tensor dy, Tensor dweight, Tensor dbias) {
        Eager.run(context, new BackwardWeights(dbias != null), List.of(x, dy), Arrays.asList(dweight, dbias));
    }

    /** A present operand {@code [.., features]}; its type. */
    private static TensorType rows(String operation, List<TensorType> inputs, int index, String operand) {
        TensorType type = Types.floating(operation, inputs, index, operand, -1);
        if (type.shape().rank() < 2) {
            throw new IllegalArgumentException(
                    operation + ": " + operand + " has shape " + type.shape() + ", expected 2 axes or more");
        }
        requireFeatures(operation, type, operand);
        return type;
    }

    private static void requireFeatures(String operation, TensorType type, String operand) {
        if (type.shape().size(-1) == 0) {
            throw new IllegalArgumentException(
                    operation + ": " + operand + " has shape " + type.shape() + ", expected at least one feature");
        }
    }

    private static void requireEqual(
            String operation, TensorType a, String aName, int aAxis, TensorType b, String bName, int bAxis) {
        if (a.shape().size(aAxis) != b.shape().size(bAxis)) {
            throw new IllegalArgumentException(operation + ": axis " + aAxis + " of " + aName + " " + a.shape()
                    + " differs from axis " + bAxis + " of " + bName + " " + b.shape());
        }
    }

    /** The same rows with other features. */
    private static TensorType withFeatures(TensorType rows, long features) {
        long[] sizes = rows.shape().toArray();
        sizes[sizes.length - 1] = features;
        return new TensorType(rows.dtype(), Shape.of(sizes));
    }

    /** @param data whose last axis has so many features */
    private static MemorySegment desc(
            Arena arena, int device, TensorType data, long features, long in, long out, Pointwise activation) {
        MemorySegment desc = velu_linear_desc.allocate(arena);
        velu_linear_desc.device(desc, device);
        velu_linear_desc.dtype(desc, data.dtype().code());
        velu_linear_desc.rows(desc, data.shape().elements() / features);
        velu_linear_desc.in_features(desc, in);
        velu_linear_desc.out_features(desc, out);
        velu_linear_desc.activation(desc, Activation.code(activation));
        return desc;
    }

    private interface Descriptor {
        MemorySegment in(Arena arena, int device);
    }

    private static void prepare(Context context, Descriptor descriptor, int pass) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = descriptor.in(arena, context.device().kind().ordinal());
            context.check(VeluNative.velu_linear_prepare(context.handle(), desc, pass), "velu_linear_prepare");
        }
    }

    /** Inputs x, weight, bias or null; output y, to which the activation, or null, is applied. */
    record Forward(Pointwise activation) implements Operation {
        Forward() {
            this(null);
        }

        @Override
        public String name() {
            return "linear_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = rows(name(), inputs, 0, "x");
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 2);
            Types.sameDtype(name(), weight, "weight", x, "x");
            requireEqual(name(), weight, "weight", 1, x, "x", x.shape().rank() - 1);
            long out = weight.shape().size(0);
            if (out == 0) {
                throw new IllegalArgumentException(
                        name() + ": weight has shape " + weight.shape() + ", expected at least one output feature");
            }
            Types.optional(name(), inputs, 2, "bias", DType.F32, out);
            return List.of(withFeatures(x, out));
        }

        private MemorySegment desc(Arena arena, int device, TensorType x, TensorType weight) {
            long in = weight.shape().size(1);
            return Linear.desc(arena, device, x, in, in, weight.shape().size(0), activation);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b.arena(), b.device(), b.inputType(0), b.inputType(1));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment bias = b.input(2);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_linear_forward(context, desc, x, weight, bias, y);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            Linear.prepare(
                    context,
                    (arena, device) -> desc(arena, device, inputs.get(0), inputs.get(1)),
                    VeluNative.VELU_PASS_FORWARD());
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            return activation == null
                            && next.operation() instanceof Activation.Forward pointwise
                            && Activation.joins(pointwise.function(), differentiated)
                    ? new Fused(new Forward(pointwise.function()), self.inputs(), next.outputs())
                    : null;
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            boolean channelsFirst = onnx.isFlattenedChannelsFirst(node.input(0));
            Parameter parameter = node.input(1).parameter();
            if (channelsFirst != (parameter != null && parameter.pixels() > 1)) {
                Operation.super.toOnnx(node, onnx); // the weight's columns are in another order than the row's elements
            }
            String weight = onnx.node("Transpose", List.of(onnx.name(node.input(1))), new Attribute.Ints("perm", 1, 0));
            String y = onnx.node("MatMul", List.of(onnx.name(node.input(0)), weight));
            if (node.input(2) != null) {
                y = onnx.node("Add", List.of(y, onnx.name(node.input(2))));
            }
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
                List<Value> d = gradients.graph().apply(new BackwardWeights(bias != null), x, dy);
                Cast.addGradient(gradients, weight, d.get(0));
                if (bias != null) {
                    gradients.add(bias, d.get(1));
                }
            }
            if (gradients.wanted(x)) {
                gradients.add(
                        x,
                        gradients.graph().apply(new BackwardData(), dy, weight).getFirst());
            }
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return outputs.get(0).shape().elements() * inputs.get(1).shape().size(1);
        }
    }

    /** Inputs dy, weight; output dx. */
    record BackwardData() implements Operation {
        @Override
        public String name() {
            return "linear_backward_data";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = rows(name(), inputs, 0, "dy");
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 2);
            Types.sameDtype(name(), weight, "weight", dy, "dy");
            requireFeatures(name(), weight, "weight");
            requireEqual(name(), dy, "dy", dy.shape().rank() - 1, weight, "weight", 0);
            return List.of(withFeatures(dy, weight.shape().size(1)));
        }

        private static MemorySegment desc(Arena arena, int device, TensorType dy, TensorType weight) {
            long out = weight.shape().size(0);
            return Linear.desc(arena, device, dy, out, weight.shape().size(1), out, null);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b.arena(), b.device(), b.inputType(0), b.inputType(1));
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment weight = b.input(1);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_linear_backward_data(context, desc, dy, weight, dx);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            Linear.prepare(
                    context,
                    (arena, device) -> desc(arena, device, inputs.get(0), inputs.get(1)),
                    VeluNative.VELU_PASS_BACKWARD_DATA());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return inputs.get(0).shape().elements() * inputs.get(1).shape().size(1);
        }
    }

    /** Inputs x, dy; outputs dweight, dbias or null. */
    record BackwardWeights(boolean bias) implements Operation {
        @Override
        public String name() {
            return "linear_backward_weights";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = rows(name(), inputs, 0, "x");
            TensorType dy = rows(name(), inputs, 1, "dy");
            Types.sameDtype(name(), dy, "dy", x, "x");
            if (dy.shape().rank() != x.shape().rank()) {
                throw new IllegalArgumentException(
                        name() + ": dy has shape " + dy.shape() + ", expected as many axes as x " + x.shape());
            }
            for (int axis = 0; axis < x.shape().rank() - 1; axis++) {
                requireEqual(name(), dy, "dy", axis, x, "x", axis);
            }
            long out = dy.shape().size(-1);
            return Collections.unmodifiableList(
                    Arrays.asList(TensorType.f32(out, x.shape().size(-1)), bias ? TensorType.f32(out) : null));
        }

        private static MemorySegment desc(Arena arena, int device, TensorType x, TensorType dy) {
            long in = x.shape().size(-1);
            return Linear.desc(arena, device, x, in, in, dy.shape().size(-1), null);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b.arena(), b.device(), b.inputType(0), b.inputType(1));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment dweight = b.output(0);
            MemorySegment dbias = b.output(1);
            return () -> VeluNative.velu_linear_backward_weights(context, desc, x, dy, dweight, dbias);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            Linear.prepare(
                    context,
                    (arena, device) -> desc(arena, device, inputs.get(0), inputs.get(1)),
                    VeluNative.VELU_PASS_BACKWARD_WEIGHTS());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return inputs.get(0).shape().elements() * inputs.get(1).shape().size(-1);
        }
    }
}
