package dev.velu.op;

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
import java.util.List;

/** The first token of every image: x {@code [N, T, E]}, y {@code [N, E]}. Its gradient is dy there and 0 elsewhere. */
public record FirstToken() {
    /** Records y, the first tokens of x. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(), x).getFirst();
    }

    /** y, the first tokens of x, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(), List.of(x), List.of(y));
    }

    /** dx, at once; its shape is that of the forward's x. */
    public void backward(Context context, Tensor dy, Tensor dx) {
        Eager.run(context, new Backward(dx.shape()), List.of(dy), List.of(dx));
    }

    private static Shape outputShape(String operation, Shape x) {
        if (x.rank() != 3 || x.size(1) == 0 || x.size(2) == 0) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x + ", expected [N, T, E] with tokens and channels");
        }
        return Shape.of(x.size(0), x.size(2));
    }

    /** Elements from one image's first token to the next image's. */
    private static long imagePitch(Shape x) {
        return x.size(1) * x.size(2);
    }

    /** Input x; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "copy_rows_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 3);
            return List.of(new TensorType(x.dtype(), outputShape(name(), x.shape())));
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType y = b.outputType(0);
            return RowCopy.of(b, y, imagePitch(b.inputType(0).shape()), b.input(0), y.pitch(), b.output(0), false);
        }

        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            return 2 * Operation.bytes(outputs.get(0));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            onnx.define(
                    node.output(0),
                    onnx.node(
                            "Gather",
                            List.of(onnx.name(node.input(0)), onnx.integer(0)),
                            new Attribute.Int("axis", 1)));
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
            return "copy_rows_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 2);
            Types.same(name(), dy, "dy", new TensorType(dy.dtype(), outputShape(name(), x)));
            return List.of(new TensorType(dy.dtype(), x));
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType dy = b.inputType(0);
            return RowCopy.of(b, dy, dy.pitch(), b.input(0), imagePitch(x), b.output(0), true);
        }
    }
}
