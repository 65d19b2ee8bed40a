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
 * Fully connected layer {@code y = x weight^T + bias}. Shapes: x {@code [N, in]}, weight {@code [out, in]} of the dtype
 * of x, bias {@code [out]} F32 or absent, y {@code [N, out]}.
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

    /** dx = dy weight, at once. */
    public void backwardData(Context context, Tensor dy, Tensor weight, Tensor dx) {
        Eager.run(context, new BackwardData(), List.of(dy, weight), List.of(dx));
    }

    /** dweight = dy^T x and dbias = sum of dy over rows (may be null), both F32, at once. */
    public void backwardWeights(Context context, Tensor x, Tensor dy, Tensor dweight, Tensor dbias) {
        Eager.run(context, new BackwardWeights(dbias != null), List.of(x, dy), Arrays.asList(dweight, dbias));
    }

    private static void requireFeatures(String operation, TensorType type, String operand) {
        if (type.shape().size(1) == 0) {
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

    private static MemorySegment desc(Arena arena, int device, DType dtype, long rows, long in, long out) {
        MemorySegment desc = velu_linear_desc.allocate(arena);
        velu_linear_desc.device(desc, device);
        velu_linear_desc.dtype(desc, dtype.code());
        velu_linear_desc.rows(desc, rows);
        velu_linear_desc.in_features(desc, in);
        velu_linear_desc.out_features(desc, out);
        return desc;
    }

    private static void prepare(Context context, TensorType data, long in, long out, int pass) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(
                    arena,
                    context.device().kind().ordinal(),
                    data.dtype(),
                    data.shape().size(0),
                    in,
                    out);
            context.check(VeluNative.velu_linear_prepare(context.handle(), desc, pass), "velu_linear_prepare");
        }
    }

    /** Inputs x, weight, bias or null; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "linear_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 2);
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 2);
            Types.sameDtype(name(), weight, "weight", x, "x");
            requireFeatures(name(), x, "x");
            requireEqual(name(), weight, "weight", 1, x, "x", 1);
            long out = weight.shape().size(0);
            if (out == 0) {
                throw new IllegalArgumentException(
                        name() + ": weight has shape " + weight.shape() + ", expected at least one output feature");
            }
            Types.optional(name(), inputs, 2, "bias", DType.F32, out);
            return List.of(new TensorType(x.dtype(), Shape.of(x.shape().size(0), out)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0).dtype(),
                    b.inputType(0).shape().size(0),
                    b.inputType(0).shape().size(1),
                    b.inputType(1).shape().size(0));
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
                    inputs.get(0),
                    inputs.get(0).shape().size(1),
                    inputs.get(1).shape().size(0),
                    VeluNative.VELU_PASS_FORWARD());
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value weight = node.input(1);
            Value bias = node.input(2);
            Value dy = gradients.of(node.output(0));
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
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 2);
            TensorType weight = Types.floating(name(), inputs, 1, "weight", 2);
            Types.sameDtype(name(), weight, "weight", dy, "dy");
            requireFeatures(name(), dy, "dy");
            requireFeatures(name(), weight, "weight");
            requireEqual(name(), dy, "dy", 1, weight, "weight", 0);
            return List.of(new TensorType(
                    dy.dtype(), Shape.of(dy.shape().size(0), weight.shape().size(1))));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0).dtype(),
                    b.inputType(0).shape().size(0),
                    b.inputType(1).shape().size(1),
                    b.inputType(1).shape().size(0));
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
                    inputs.get(0),
                    inputs.get(1).shape().size(1),
                    inputs.get(1).shape().size(0),
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
            TensorType x = Types.floating(name(), inputs, 0, "x", 2);
            TensorType dy = Types.floating(name(), inputs, 1, "dy", 2);
            Types.sameDtype(name(), dy, "dy", x, "x");
            requireFeatures(name(), x, "x");
            requireFeatures(name(), dy, "dy");
            requireEqual(name(), dy, "dy", 0, x, "x", 0);
            long out = dy.shape().size(1);
            return Collections.unmodifiableList(
                    Arrays.asList(TensorType.f32(out, x.shape().size(1)), bias ? TensorType.f32(out) : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0).dtype(),
                    b.inputType(0).shape().size(0),
                    b.inputType(0).shape().size(1),
                    b.inputType(1).shape().size(1));
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
                    inputs.get(0),
                    inputs.get(0).shape().size(1),
                    inputs.get(1).shape().size(1),
                    VeluNative.VELU_PASS_BACKWARD_WEIGHTS());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return inputs.get(0).shape().elements() * inputs.get(1).shape().size(1);
        }
    }
}
