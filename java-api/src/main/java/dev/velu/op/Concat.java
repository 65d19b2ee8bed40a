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
 * The channels of two tensors beside each other: a {@code [.., C]} and b {@code [.., D]} give y {@code [.., C + D]}. In a plan
 * it costs nothing where a and b are computed and read by operations that take pitched tensors: they then are y's memory from
 * the start. A chain of them, as in a dense block, shares one buffer.
 */
public record Concat() {
    /** Records y = a beside b. */
    public Value apply(Graph graph, Value a, Value b) {
        return graph.apply(new Forward(), a, b).getFirst();
    }

    /** y = a beside b, at once, as a copy. */
    public void forward(Context context, Tensor a, Tensor b, Tensor y) {
        Eager.run(context, new Forward(), List.of(a, b), List.of(y));
    }

    private static TensorType withChannels(TensorType type, long channels) {
        long[] sizes = type.shape().toArray();
        sizes[sizes.length - 1] = channels;
        return new TensorType(type.dtype(), Shape.of(sizes));
    }

    /** Inputs a, b; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "concat";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType a = Types.floating(name(), inputs, 0, "a", -1);
            TensorType b = Types.present(name(), inputs, 1, "b");
            if (a.shape().rank() == 0
                    || b.shape().rank() == 0
                    || a.shape().size(-1) == 0
                    || b.shape().size(-1) == 0) {
                throw new IllegalArgumentException(
                        name() + ": a is " + a + " and b is " + b + ", expected channels in both");
            }
            Types.same(name(), b, "b", withChannels(a, b.shape().size(-1)));
            return List.of(withChannels(a, a.shape().size(-1) + b.shape().size(-1)));
        }

        @Override
        public View view() {
            return View.WHOLE;
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType y = b.outputType(0);
            long offset = b.inputType(0).shape().size(-1) * y.dtype().bytes();
            NativeCall first = RowCopy.of(
                    b, b.inputType(0), b.input(0), b.inputType(0).dense().pitched(y.pitch()), b.output(0));
            NativeCall second = RowCopy.of(
                    b,
                    b.inputType(1),
                    b.input(1),
                    b.inputType(1).dense().pitched(y.pitch()),
                    b.output(0).asSlice(offset));
            if (first == null || second == null) {
                return first == null ? second : first;
            }
            return () -> {
                int status = first.run();
                return status != 0 ? status : second.run();
            };
        }

        @Override
        public boolean readsPitched(int input) {
            return true;
        }

        /** What lies beside the other already, with the pitch of y, is not copied. */
        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            return 2
                    * inputs.stream()
                            .filter(TensorType::isDense)
                            .mapToLong(Operation::bytes)
                            .sum();
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            onnx.define(
                    node.output(0),
                    onnx.node(
                            "Concat",
                            List.of(onnx.name(node.input(0)), onnx.name(node.input(1))),
                            new Attribute.Int("axis", OnnxGraph.channelAxis(node.output(0)))));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dy = gradients.of(node.output(0));
            long first = 0;
            for (Value input : node.inputs()) {
                long channels = input.type().shape().size(-1);
                if (gradients.wanted(input)) {
                    gradients.add(
                            input,
                            gradients
                                    .graph()
                                    .apply(new Slice(first, channels), dy)
                                    .getFirst());
                }
                first += channels;
            }
        }
    }

    /** Input x; output y, the given channels of it: a part of a concat's gradient. */
    record Slice(long first, long channels) implements Operation {
        @Override
        public String name() {
            return "slice";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            return List.of(withChannels(x, channels));
        }

        @Override
        public View view() {
            return View.part(first);
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType x = b.inputType(0);
            TensorType part = b.outputType(0).dense().pitched(x.pitch());
            return RowCopy.of(b, part, b.input(0).asSlice(first * x.dtype().bytes()), b.outputType(0), b.output(0));
        }

        @Override
        public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
            return 2 * Operation.bytes(outputs.get(0));
        }

        @Override
        public boolean readsPitched(int input) {
            return true;
        }
    }
}
