package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_global_avg_pool_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.onnx.Attribute;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Mean over the pixels of each image: x {@code [N, H, W, C]}, y {@code [N, C]}. Its gradient is {@code dy / (H W)}. */
public record GlobalAvgPool() {
    /** Records y = mean of x over its pixels. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(), x).getFirst();
    }

    /** y = mean of x over its pixels, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(), List.of(x), List.of(y));
    }

    /** dx = dy / pixels, at once; its shape is that of the forward's x. */
    public void backward(Context context, Tensor dy, Tensor dx) {
        Eager.run(context, new Backward(dx.shape()), List.of(dy), List.of(dx));
    }

    private static Shape outputShape(String operation, Shape x) {
        if (x.rank() != 4 || Math.min(x.size(1), Math.min(x.size(2), x.size(3))) < 1) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x + ", expected [N, H, W, C] with pixels");
        }
        return Shape.of(x.size(0), x.size(3));
    }

    private static MemorySegment desc(Binding b, DType dtype, Shape x) {
        MemorySegment desc = velu_global_avg_pool_desc.allocate(b.arena());
        velu_global_avg_pool_desc.device(desc, b.device());
        velu_global_avg_pool_desc.dtype(desc, dtype.code());
        velu_global_avg_pool_desc.batch(desc, x.size(0));
        velu_global_avg_pool_desc.pixels(desc, x.size(1) * x.size(2));
        velu_global_avg_pool_desc.channels(desc, x.size(3));
        return desc;
    }

    /** Input x; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "global_avg_pool_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            return List.of(new TensorType(x.dtype(), outputShape(name(), x.shape())));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b, b.inputType(0).dtype(), b.inputType(0).shape());
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_global_avg_pool_forward(context, desc, x, y);
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            String mean = onnx.node("GlobalAveragePool", List.of(onnx.name(node.input(0))));
            onnx.define(node.output(0), onnx.node("Flatten", List.of(mean), new Attribute.Int("axis", 1)));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    x,
                    gradients.graph().apply(new Backward(x.type().shape()), dy).getFirst());
        }
    }

    /** Input dy; output dx of the given shape. */
    record Backward(Shape x) implements Operation {
        @Override
        public String name() {
            return "global_avg_pool_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 2);
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), outputShape(name(), x)));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b, b.inputType(0).dtype(), x);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_global_avg_pool_backward(context, desc, dy, dx);
        }
    }
}
