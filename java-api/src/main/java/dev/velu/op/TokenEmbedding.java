package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_token_embedding_desc;
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
 * Class token and position embedding (Dosovitskiy et al., ICLR 2021): the patches x {@code [N, P, E]} behind the class token
 * {@code [1, 1, E]}, plus the position {@code [1, P + 1, E]}, give y {@code [N, P + 1, E]}. Class token and position are
 * F32.
 */
public record TokenEmbedding() {
    /** Records y. */
    public Value apply(Graph graph, Value x, Value classToken, Value position) {
        return graph.apply(new Forward(), x, classToken, position).getFirst();
    }

    /** y, at once. */
    public void forward(Context context, Tensor x, Tensor classToken, Tensor position, Tensor y) {
        Eager.run(context, new Forward(), List.of(x, classToken, position), List.of(y));
    }

    /** dx, and the sums of dy over the images, at once. */
    public void backward(Context context, Tensor dy, Tensor dx, Tensor dclassToken, Tensor dposition) {
        Eager.run(context, new Backward(), List.of(dy), List.of(dx, dclassToken, dposition));
    }

    private static MemorySegment desc(Binding b, DType dtype, Shape tokens) {
        MemorySegment desc = velu_token_embedding_desc.allocate(b.arena());
        velu_token_embedding_desc.device(desc, b.device());
        velu_token_embedding_desc.dtype(desc, dtype.code());
        velu_token_embedding_desc.batch(desc, tokens.size(0));
        velu_token_embedding_desc.patches(desc, tokens.size(1) - 1);
        velu_token_embedding_desc.channels(desc, tokens.size(2));
        return desc;
    }

    /** Inputs x, class token, position; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "token_embedding_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", 3);
            long patches = x.shape().size(1);
            long channels = x.shape().size(2);
            if (patches == 0 || channels == 0) {
                throw new IllegalArgumentException(
                        name() + ": x has shape " + x.shape() + ", expected [N, P, E] with patches and channels");
            }
            Types.exactly(name(), inputs, 1, "class token", DType.F32, 1, 1, channels);
            Types.exactly(name(), inputs, 2, "position", DType.F32, 1, patches + 1, channels);
            return List.of(new TensorType(x.dtype(), Shape.of(x.shape().size(0), patches + 1, channels)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc =
                    desc(b, b.outputType(0).dtype(), b.outputType(0).shape());
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment classToken = b.input(1);
            MemorySegment position = b.input(2);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_token_embedding_forward(context, desc, x, classToken, position, y);
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            String x = onnx.name(node.input(0));
            String batch = onnx.node("Shape", List.of(x), new Attribute.Int("start", 0), new Attribute.Int("end", 1));
            long channels = node.input(0).type().shape().size(2);
            String shape =
                    onnx.node("Concat", List.of(batch, onnx.integers(1, channels)), new Attribute.Int("axis", 0));
            String classTokens = onnx.node("Expand", List.of(onnx.name(node.input(1)), shape));
            String tokens = onnx.node("Concat", List.of(classTokens, x), new Attribute.Int("axis", 1));
            onnx.define(node.output(0), onnx.node("Add", List.of(tokens, onnx.name(node.input(2)))));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            List<Value> d = gradients.graph().apply(new Backward(), gradients.of(node.output(0)));
            for (int i = 0; i < d.size(); i++) {
                gradients.add(node.input(i), d.get(i));
            }
        }
    }

    /** Input dy; outputs dx, dclassToken, dposition. */
    record Backward() implements Operation {
        @Override
        public String name() {
            return "token_embedding_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", 3);
            long tokens = dy.shape().size(1);
            long channels = dy.shape().size(2);
            if (tokens < 2 || channels == 0) {
                throw new IllegalArgumentException(
                        name() + ": dy has shape " + dy.shape() + ", expected [N, P + 1, E] with patches and channels");
            }
            return List.of(
                    new TensorType(dy.dtype(), Shape.of(dy.shape().size(0), tokens - 1, channels)),
                    TensorType.f32(1, 1, channels),
                    TensorType.f32(1, tokens, channels));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b, b.inputType(0).dtype(), b.inputType(0).shape());
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment dx = b.output(0);
            MemorySegment dclassToken = b.output(1);
            MemorySegment dposition = b.output(2);
            return () -> VeluNative.velu_token_embedding_backward(context, desc, dy, dx, dclassToken, dposition);
        }
    }
}
