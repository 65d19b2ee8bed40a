package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_scaled_linear_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A {@link ChannelScale} and the 1 x 1 convolution that follows it, without the scaled tensor in memory: x {@code [N, H, W,
 * I]}, scale {@code [N, 1, 1, I]} and the convolution's weight {@code [O, 1, 1, I]}, all of one dtype, give y {@code [N, H,
 * W, O]}.
 */
public record ScaledLinear() {
    /**
     * Records y. A weight of another dtype than x, such as an F32 parameter, is cast to it first; the parameter's gradient
     * stays F32.
     */
    public Value apply(Graph graph, Value x, Value scale, Value weight) {
        return graph.apply(new Forward(), x, scale, Cast.weight(graph, x, weight))
                .getFirst();
    }

    /** y, at once. */
    public void forward(Context context, Tensor x, Tensor scale, Tensor weight, Tensor y) {
        Eager.run(context, new Forward(), List.of(x, scale, weight), List.of(y));
    }

    /** dx and dscale, at once. */
    public void backwardData(
            Context context, Tensor x, Tensor scale, Tensor dy, Tensor weight, Tensor dx, Tensor dscale) {
        Eager.run(context, new BackwardData(), List.of(x, scale, dy, weight), List.of(dx, dscale));
    }

    /** dweight, F32, at once. */
    public void backwardWeights(Context context, Tensor x, Tensor scale, Tensor dy, Tensor dweight) {
        Eager.run(context, new BackwardWeights(), List.of(x, scale, dy), List.of(dweight));
    }

    /** Whether a convolution is one that joins with the channel scale before it. */
    static boolean takes(Node convolution) {
        Node before = convolution.input(0).producer();
        return before != null
                && before.operation() instanceof ChannelScale.Forward
                && convolution.operation() instanceof Conv2d.Forward forward
                && forward.isLinear()
                && convolution.input(1).type().shape().size(1) == 1
                && convolution.input(1).type().shape().size(2) == 1
                && convolution.input(2) == null;
    }

    private static TensorType inferWeight(String operation, List<TensorType> inputs, int index, TensorType x) {
        TensorType weight = Types.floating(operation, inputs, index, "weight", 4);
        Types.sameDtype(operation, weight, "weight", x, "x");
        Shape shape = weight.shape();
        long in = x.shape().size(3);
        if (shape.size(0) == 0 || shape.size(1) != 1 || shape.size(2) != 1 || shape.size(3) != in) {
            throw new IllegalArgumentException(
                    operation + ": weight has shape " + shape + ", expected [O, 1, 1, " + in + "] for x " + x.shape());
        }
        return weight;
    }

    /** x with other channels. */
    private static TensorType withChannels(TensorType x, long channels) {
        Shape shape = x.shape();
        return new TensorType(x.dtype(), Shape.of(shape.size(0), shape.size(1), shape.size(2), channels));
    }

    private static TensorType inferDy(String operation, List<TensorType> inputs, TensorType x) {
        TensorType dy = Types.floating(operation, inputs, 2, "dy", 4);
        Types.same(operation, dy, "dy", withChannels(x, dy.shape().size(3)));
        if (dy.shape().size(3) == 0) {
            throw new IllegalArgumentException(
                    operation + ": dy has shape " + dy.shape() + ", expected at least one channel");
        }
        return dy;
    }

    private static MemorySegment desc(Arena arena, int device, TensorType x, long out) {
        Shape shape = x.shape();
        MemorySegment desc = velu_scaled_linear_desc.allocate(arena);
        velu_scaled_linear_desc.device(desc, device);
        velu_scaled_linear_desc.dtype(desc, x.dtype().code());
        velu_scaled_linear_desc.batch(desc, shape.size(0));
        velu_scaled_linear_desc.pixels(desc, shape.size(1) * shape.size(2));
        velu_scaled_linear_desc.in_features(desc, shape.size(3));
        velu_scaled_linear_desc.out_features(desc, out);
        return desc;
    }

    private static void prepare(Context context, TensorType x, long out, int pass) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(arena, context.device().kind().ordinal(), x, out);
            context.check(
                    VeluNative.velu_scaled_linear_prepare(context.handle(), desc, pass), "velu_scaled_linear_prepare");
        }
    }

    /** Inputs x, scale, weight; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "scaled_linear_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = ChannelScale.inferScaled(name(), inputs);
            TensorType weight = inferWeight(name(), inputs, 2, x);
            return List.of(withChannels(x, weight.shape().size(0)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0),
                    b.inputType(2).shape().size(0));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment scale = b.input(1);
            MemorySegment weight = b.input(2);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_scaled_linear_forward(context, desc, x, scale, weight, y);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            ScaledLinear.prepare(context, inputs.get(0), inputs.get(2).shape().size(0), VeluNative.VELU_PASS_FORWARD());
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value scale = node.input(1);
            Value weight = node.input(2);
            Value dy = gradients.of(node.output(0));
            if (gradients.wanted(weight)) {
                Value dweight = gradients
                        .graph()
                        .apply(new BackwardWeights(), x, scale, dy)
                        .getFirst();
                Cast.addGradient(gradients, weight, dweight);
            }
            if (gradients.wanted(x) || gradients.wanted(scale)) {
                List<Value> d = gradients.graph().apply(new BackwardData(), x, scale, dy, weight);
                gradients.add(x, d.get(0));
                gradients.add(scale, d.get(1));
            }
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return outputs.get(0).shape().elements() * inputs.get(2).shape().size(3);
        }
    }

    /** Inputs x, scale, dy, weight; outputs dx, dscale. */
    record BackwardData() implements Operation {
        @Override
        public String name() {
            return "scaled_linear_backward_data";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = ChannelScale.inferScaled(name(), inputs);
            TensorType weight = inferWeight(name(), inputs, 3, x);
            Types.like(name(), inputs, 2, "dy", withChannels(x, weight.shape().size(0)));
            return List.of(x, ChannelScale.scaleOf(x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0),
                    b.inputType(3).shape().size(0));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment scale = b.input(1);
            MemorySegment dy = b.input(2);
            MemorySegment weight = b.input(3);
            MemorySegment dx = b.output(0);
            MemorySegment dscale = b.output(1);
            return () -> VeluNative.velu_scaled_linear_backward_data(context, desc, x, scale, dy, weight, dx, dscale);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            ScaledLinear.prepare(
                    context, inputs.get(0), inputs.get(3).shape().size(0), VeluNative.VELU_PASS_BACKWARD_DATA());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return inputs.get(2).shape().elements() * inputs.get(3).shape().size(3);
        }
    }

    /** Inputs x, scale, dy; output dweight. */
    record BackwardWeights() implements Operation {
        @Override
        public String name() {
            return "scaled_linear_backward_weights";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = ChannelScale.inferScaled(name(), inputs);
            TensorType dy = inferDy(name(), inputs, x);
            return List.of(TensorType.f32(dy.shape().size(3), 1, 1, x.shape().size(3)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(
                    b.arena(),
                    b.device(),
                    b.inputType(0),
                    b.inputType(2).shape().size(3));
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment scale = b.input(1);
            MemorySegment dy = b.input(2);
            MemorySegment dweight = b.output(0);
            return () -> VeluNative.velu_scaled_linear_backward_weights(context, desc, x, scale, dy, dweight);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            ScaledLinear.prepare(
                    context, inputs.get(0), inputs.get(2).shape().size(3), VeluNative.VELU_PASS_BACKWARD_WEIGHTS());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return inputs.get(2).shape().elements() * inputs.get(0).shape().size(3);
        }
    }
}
