package dev.velu.op;

import dev.velu.bindings.VeluNative;
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
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * 2-D average pooling with zero padding: x {@code [N, H, W, C]}, y {@code [N, H', W', C]} as {@link PoolWindow} says.
 *
 * @param countIncludePad whether the sum is divided by the kernel's size (torch's default) or by the number of elements
 *     inside the image
 */
public record AvgPool2d(PoolWindow window, boolean countIncludePad) {
    /** A square window without padding. */
    public static AvgPool2d of(int kernel, int stride) {
        return new AvgPool2d(PoolWindow.of(kernel, stride, 0), true);
    }

    /** Records y = avgpool(x). */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(this), x).getFirst();
    }

    /** y = avgpool(x), at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(this), List.of(x), List.of(y));
    }

    /** dx, at once; its shape is that of the forward's x. */
    public void backward(Context context, Tensor dy, Tensor dx) {
        Eager.run(context, new Backward(this, dx.shape()), List.of(dy), List.of(dx));
    }

    /** Input x; output y. */
    record Forward(AvgPool2d pool) implements Operation {
        @Override
        public String name() {
            return "avg_pool2d_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            return List.of(new TensorType(x.dtype(), pool.window.outputShape(name(), x.shape())));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc =
                    pool.window.desc(b, b.outputType(0), b.inputType(0).shape(), pool.countIncludePad);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_avg_pool2d_forward(context, desc, x, y);
        }

        @Override
        public boolean writesPitched(int output) {
            return output == 0;
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            List<Attribute> attributes = new ArrayList<>(List.of(pool.window.toOnnx()));
            attributes.add(new Attribute.Int("count_include_pad", pool.countIncludePad ? 1 : 0));
            onnx.define(
                    node.output(0),
                    onnx.node("AveragePool", List.of(onnx.name(node.input(0))), attributes.toArray(Attribute[]::new)));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    x,
                    gradients
                            .graph()
                            .apply(new Backward(pool, x.type().shape()), dy)
                            .getFirst());
        }
    }

    /** Input dy; output dx of the given shape. */
    record Backward(AvgPool2d pool, Shape x) implements Operation {
        @Override
        public String name() {
            return "avg_pool2d_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 4);
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), pool.window.outputShape(name(), x)));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = pool.window.desc(b, b.inputType(0), x, pool.countIncludePad);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_avg_pool2d_backward(context, desc, dy, dx);
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0;
        }
    }
}
