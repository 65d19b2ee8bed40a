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
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * 2-D maximum pooling with -inf padding: x {@code [N, H, W, C]}, y {@code [N, H', W', C]} as {@link PoolWindow} says,
 * argmax U8 of y's shape: the position in the window, {@code row * kernelWidth + column}. A NaN in a window wins; of
 * equals the first.
 *
 * @param window at most 255 elements
 */
public record MaxPool2d(PoolWindow window) {
    private static final int MAX_WINDOW = 255;

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the window has more than 255 elements
     */
    public MaxPool2d {
        if ((long) window.kernelHeight() * window.kernelWidth() > MAX_WINDOW) {
            throw new IllegalArgumentException("max pooling kernel " + window.kernelHeight() + " x "
                    + window.kernelWidth() + " has more than " + MAX_WINDOW + " elements");
        }
    }

    /** A square window. */
    public static MaxPool2d of(int kernel, int stride, int padding) {
        return new MaxPool2d(PoolWindow.of(kernel, stride, padding));
    }

    /** Records y = maxpool(x) and the positions its gradient needs. */
    public Value apply(Graph graph, Value x) {
        return apply(graph, x, true);
    }

    /**
     * Records y = maxpool(x).
     *
     * @param argmax whether to keep the positions, which the gradient needs
     */
    public Value apply(Graph graph, Value x, boolean argmax) {
        return graph.apply(new Forward(this, argmax), x).getFirst();
    }

    /** y = maxpool(x), at once. argmax may be null. */
    public void forward(Context context, Tensor x, Tensor y, Tensor argmax) {
        Eager.run(context, new Forward(this, argmax != null), List.of(x), Arrays.asList(y, argmax));
    }

    /** dx from dy and the argmax that forward stored, at once. */
    public void backward(Context context, Tensor dy, Tensor argmax, Tensor dx) {
        Eager.run(context, new Backward(this, dx.shape()), List.of(dy, argmax), List.of(dx));
    }

    /** Input x; outputs y, argmax or null. */
    record Forward(MaxPool2d pool, boolean argmax) implements Operation {
        @Override
        public String name() {
            return "max_pool2d_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 4);
            Shape y = pool.window.outputShape(name(), x.shape());
            return Collections.unmodifiableList(
                    Arrays.asList(new TensorType(x.dtype(), y), argmax ? new TensorType(DType.U8, y) : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc =
                    pool.window.desc(b, b.outputType(0), b.inputType(0).shape(), false);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            MemorySegment positions = b.output(1);
            return () -> VeluNative.velu_max_pool2d_forward(context, desc, x, y, positions);
        }

        @Override
        public boolean writesPitched(int output) {
            return output == 0;
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            onnx.define(node.output(0), onnx.node("MaxPool", List.of(onnx.name(node.input(0))), pool.window.toOnnx()));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            if (!argmax) {
                throw new IllegalStateException(name() + " was recorded without argmax, which its gradient needs");
            }
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    x,
                    gradients
                            .graph()
                            .apply(new Backward(pool, x.type().shape()), dy, node.output(1))
                            .getFirst());
        }
    }

    /** Inputs dy, argmax; output dx of the given shape. */
    record Backward(MaxPool2d pool, Shape x) implements Operation {
        @Override
        public String name() {
            return "max_pool2d_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 4);
            Shape y = pool.window.outputShape(name(), x);
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), y));
            Types.like(name(), inputs, 1, "argmax", new TensorType(DType.U8, y));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = pool.window.desc(b, b.inputType(0), x, false);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment positions = b.input(1);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_max_pool2d_backward(context, desc, dy, positions, dx);
        }

        @Override
        public boolean readsPitched(int input) {
            return input == 0;
        }
    }
}
