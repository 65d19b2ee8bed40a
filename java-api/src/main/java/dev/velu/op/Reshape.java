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

/**
 * The same elements, in the same order, under another shape, e.g. {@code [N, H, W, C]} as {@code [N, H W, C]}. In a plan it
 * costs nothing: x and y are one memory.
 */
public record Reshape(Shape shape) {
    /** Records y = x in the shape. */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(shape), x).getFirst();
    }

    /** y = x in the shape, at once, as a copy. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(shape), List.of(x), List.of(y));
    }

    /** Input x; output y of the shape. */
    record Forward(Shape shape) implements Operation {
        @Override
        public String name() {
            return "reshape";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            if (x.shape().elements() != shape.elements()) {
                throw new IllegalArgumentException(name() + ": x has shape " + x.shape() + " with "
                        + x.shape().elements() + " elements, which do not make " + shape);
            }
            return List.of(new TensorType(x.dtype(), shape));
        }

        @Override
        public View view() {
            return View.SAME;
        }

        @Override
        public NativeCall bind(Binding b) {
            if (b.input(0).address() == b.output(0).address()) {
                return null;
            }
            TensorType all = new TensorType(b.outputType(0).dtype(), Shape.of(shape.elements()));
            return RowCopy.of(b, all, b.input(0), all, b.output(0));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            Shape from = node.input(0).type().shape();
            String x = onnx.name(node.input(0));
            long[] to = shape.toArray();
            to[0] = 0; // the batch, as it comes
            if (from.rank() == 4 && shape.rank() == 2) {
                onnx.define(node.output(0), onnx.node("Flatten", List.of(x), new Attribute.Int("axis", 1)));
                if (from.size(1) * from.size(2) > 1) {
                    onnx.flattenedChannelsFirst(node.output(0));
                }
            } else if (from.rank() == 4 && shape.rank() == 3 && from.size(3) == shape.size(2)) {
                String pixels = onnx.node("Reshape", List.of(x, onnx.integers(0, shape.size(2), shape.size(1))));
                onnx.define(
                        node.output(0), onnx.node("Transpose", List.of(pixels), new Attribute.Ints("perm", 0, 2, 1)));
            } else if (from.rank() < 4 && shape.rank() == 4 && shape.size(1) * shape.size(2) == 1) {
                onnx.define(node.output(0), onnx.node("Reshape", List.of(x, onnx.integers(0, shape.size(3), 1, 1))));
            } else if (from.rank() < 4 && shape.rank() < 4) {
                onnx.define(node.output(0), onnx.node("Reshape", List.of(x, onnx.integers(to))));
            } else {
                Operation.super.toOnnx(node, onnx);
            }
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    x,
                    gradients.graph().apply(new Forward(x.type().shape()), dy).getFirst());
        }
    }
}
