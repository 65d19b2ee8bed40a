package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_adaptive_avg_pool2d_desc;
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

/**
 * Average pooling to a given size, torch's adaptive_avg_pool2d: x {@code [N, H, W, C]} gives y {@code [N, outHeight,
 * outWidth, C]}. Output i of an axis of size n is the mean of the inputs {@code floor(i n / out)} to {@code ceil((i + 1) n /
 * out) - 1}; windows overlap where out does not divide n, and repeat where it is larger.
 */
public record AdaptiveAvgPool2d(int outHeight, int outWidth) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if a size is not positive
     */
    public AdaptiveAvgPool2d {
        if (Math.min(outHeight, outWidth) < 1) {
            throw new IllegalArgumentException(
                    "adaptive pooling to " + outHeight + " x " + outWidth + " pixels: sizes are positive");
        }
    }

    /** Records y, the averages of x. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(this), x).getFirst();
    }

    /** y, the averages of x, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(this), List.of(x), List.of(y));
    }

    /** dx, at once; its shape is that of the forward's x. */
    public void backward(Context context, Tensor dy, Tensor dx) {
        Eager.run(context, new Backward(this, dx.shape()), List.of(dy), List.of(dx));
    }

    private Shape outputShape(String operation, Shape x) {
        if (x.rank() != 4 || Math.min(x.size(1), Math.min(x.size(2), x.size(3))) < 1) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x + ", expected [N, H, W, C] with pixels");
        }
        return Shape.of(x.size(0), outHeight, outWidth, x.size(3));
    }

    private MemorySegment desc(Binding b, DType dtype, Shape x) {
        MemorySegment desc = velu_adaptive_avg_pool2d_desc.allocate(b.arena());
        velu_adaptive_avg_pool2d_desc.device(desc, b.device());
        velu_adaptive_avg_pool2d_desc.dtype(desc, dtype.code());
        velu_adaptive_avg_pool2d_desc.batch(desc, x.size(0));
        velu_adaptive_avg_pool2d_desc.in_height(desc, x.size(1));
        velu_adaptive_avg_pool2d_desc.in_width(desc, x.size(2));
        velu_adaptive_avg_pool2d_desc.channels(desc, x.size(3));
        velu_adaptive_avg_pool2d_desc.out_height(desc, outHeight);
        velu_adaptive_avg_pool2d_desc.out_width(desc, outWidth);
        return desc;
    }

    /** The matrix {@code [out, in]} that averages along one axis. */
    private static float[] weights(long in, int out) {
        float[] weights = new float[Math.toIntExact(out * in)];
        for (int o = 0; o < out; o++) {
            long first = o * in / out;
            long end = Math.ceilDiv((o + 1) * in, out);
            for (long i = first; i < end; i++) {
                weights[Math.toIntExact(o * in + i)] = 1f / (end - first);
            }
        }
        return weights;
    }

    /** Input x; output y. */
    record Forward(AdaptiveAvgPool2d pool) implements Operation {
        @Override
        public String name() {
            return "adaptive_avg_pool2d_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            return List.of(new TensorType(x.dtype(), pool.outputShape(name(), x.shape())));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc =
                    pool.desc(b, b.inputType(0).dtype(), b.inputType(0).shape());
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_adaptive_avg_pool2d_forward(context, desc, x, y);
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            Shape x = node.input(0).type().shape();
            String rows = onnx.constant(new long[] {pool.outHeight, x.size(1)}, weights(x.size(1), pool.outHeight));
            String columns = onnx.constant(new long[] {pool.outWidth, x.size(2)}, weights(x.size(2), pool.outWidth));
            String means = onnx.node("MatMul", List.of(rows, onnx.name(node.input(0))));
            String transposed = onnx.node("Transpose", List.of(columns), new Attribute.Ints("perm", 1, 0));
            onnx.define(node.output(0), onnx.node("MatMul", List.of(means, transposed)));
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
    record Backward(AdaptiveAvgPool2d pool, Shape x) implements Operation {
        @Override
        public String name() {
            return "adaptive_avg_pool2d_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 4);
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), pool.outputShape(name(), x)));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = pool.desc(b, b.inputType(0).dtype(), x);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_adaptive_avg_pool2d_backward(context, desc, dy, dx);
        }
    }
}
