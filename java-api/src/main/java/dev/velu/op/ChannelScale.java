package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_channel_scale_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Multiplication of the channels of every image by factors of its own, as squeeze-and-excitation does (Hu et al., CVPR
 * 2018): x {@code [N, H, W, C]} times scale {@code [N, 1, 1, C]} gives y of the type of x. Joined with the 1 x 1 convolution
 * that follows it, it is a {@link ScaledLinear}.
 */
public record ChannelScale() {
    /** Records y = x scale. */
    public Value apply(Graph graph, Value x, Value scale) {
        return graph.apply(new Forward(), x, scale).getFirst();
    }

    /** y = x scale, at once; y may be x. */
    public void forward(Context context, Tensor x, Tensor scale, Tensor y) {
        Eager.run(context, new Forward(), List.of(x, scale), List.of(y));
    }

    /** dx = dy scale, and dscale = sum of dy x over the pixels, at once; dx may be dy. */
    public void backward(Context context, Tensor x, Tensor scale, Tensor dy, Tensor dx, Tensor dscale) {
        Eager.run(context, new Backward(), List.of(x, scale, dy), List.of(dx, dscale));
    }

    /** The types of x {@code [N, H, W, C]} and scale {@code [N, 1, 1, C]}, the first two inputs, fit; that of x. */
    static TensorType inferScaled(String operation, List<TensorType> inputs) {
        TensorType x = Types.floating(operation, inputs, 0, "x", 4);
        Shape shape = x.shape();
        if (Math.min(shape.size(1), Math.min(shape.size(2), shape.size(3))) < 1) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + shape + ", expected [N, H, W, C] with pixels");
        }
        Types.like(operation, inputs, 1, "scale", scaleOf(x));
        return x;
    }

    /** The type of the scale of an x. */
    static TensorType scaleOf(TensorType x) {
        return new TensorType(
                x.dtype(), Shape.of(x.shape().size(0), 1, 1, x.shape().size(3)));
    }

    private static MemorySegment desc(Binding b) {
        TensorType x = b.inputType(0);
        MemorySegment desc = velu_channel_scale_desc.allocate(b.arena());
        velu_channel_scale_desc.device(desc, b.device());
        velu_channel_scale_desc.dtype(desc, x.dtype().code());
        velu_channel_scale_desc.batch(desc, x.shape().size(0));
        velu_channel_scale_desc.pixels(desc, x.shape().size(1) * x.shape().size(2));
        velu_channel_scale_desc.channels(desc, x.shape().size(3));
        return desc;
    }

    /** Inputs x, scale; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "channel_scale_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            return List.of(inferScaled(name(), inputs));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment scale = b.input(1);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_channel_scale_forward(context, desc, x, scale, y);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            boolean joins = next.input(0) == self.output(0)
                    && next.operation() instanceof Conv2d.Forward
                    && ScaledLinear.takes(next)
                    && next.input(1) != self.output(0);
            return joins
                    ? new Fused(
                            new ScaledLinear.Forward(),
                            List.of(self.input(0), self.input(1), next.input(1)),
                            next.outputs())
                    : null;
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            List<String> inputs = List.of(onnx.name(node.input(0)), onnx.name(node.input(1)));
            onnx.define(node.output(0), onnx.node("Mul", inputs));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dy = gradients.of(node.output(0));
            List<Value> d = gradients.graph().apply(new Backward(), node.input(0), node.input(1), dy);
            gradients.add(node.input(0), d.get(0));
            gradients.add(node.input(1), d.get(1));
        }
    }

    /** Inputs x, scale, dy; outputs dx, dscale. */
    record Backward() implements Operation {
        @Override
        public String name() {
            return "channel_scale_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = inferScaled(name(), inputs);
            Types.like(name(), inputs, 2, "dy", x);
            return List.of(x, scaleOf(x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment scale = b.input(1);
            MemorySegment dy = b.input(2);
            MemorySegment dx = b.output(0);
            MemorySegment dscale = b.output(1);
            return () -> VeluNative.velu_channel_scale_backward(context, desc, x, scale, dy, dx, dscale);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(2, 0));
        }
    }
}
