package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_attention_desc;
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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Multi-head self-attention (Vaswani et al., NIPS 2017) of projected tokens: {@code softmax(q k^T / sqrt(E / heads)) v} for
 * every image and head. qkv is {@code [N, T, 3 E]} with the E channels of q, k and v in that order, each divided among the
 * heads as torch's in_proj gives them; y is {@code [N, T, E]}. The gradient needs logSumExp, F32 {@code [N, heads, T]}: of
 * the scaled scores of every token.
 *
 * @param heads positive; divides E
 */
public record Attention(int heads) {
    /** Matrix products of tokens by tokens in the forward pass: the scores, and the weighted sum of v. */
    private static final int PRODUCTS = 2;
    /** And in the backward pass: the scores again, and the gradients of both operands of both products. */
    private static final int GRADIENT_PRODUCTS = 5;

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the number of heads is not positive
     */
    public Attention {
        if (heads < 1) {
            throw new IllegalArgumentException("number of attention heads " + heads + " is not positive");
        }
    }

    /** Records y = attention(qkv) and the logSumExp that its gradient needs. */
    public Value apply(Graph graph, Value qkv) {
        return graph.apply(new Forward(this, true), qkv).getFirst();
    }

    /** y = attention(qkv), at once. logSumExp may be null. */
    public void forward(Context context, Tensor qkv, Tensor y, Tensor logSumExp) {
        Eager.run(context, new Forward(this, logSumExp != null), List.of(qkv), Arrays.asList(y, logSumExp));
    }

    /** dqkv from dy and what forward stored, at once. */
    public void backward(Context context, Tensor qkv, Tensor y, Tensor dy, Tensor logSumExp, Tensor dqkv) {
        Eager.run(context, new Backward(this), List.of(qkv, y, dy, logSumExp), List.of(dqkv));
    }

    private TensorType inferQkv(String operation, List<TensorType> inputs) {
        TensorType qkv = Types.floating(operation, inputs, 0, "qkv", 3);
        Shape shape = qkv.shape();
        if (shape.size(1) == 0 || shape.size(2) == 0 || shape.size(2) % (3L * heads) != 0) {
            throw new IllegalArgumentException(operation + ": qkv has shape " + shape
                    + ", expected [N, T, 3 E] with tokens and a number of channels E that " + heads + " heads divide");
        }
        return qkv;
    }

    private static TensorType y(TensorType qkv) {
        Shape shape = qkv.shape();
        return new TensorType(qkv.dtype(), Shape.of(shape.size(0), shape.size(1), shape.size(2) / 3));
    }

    private TensorType logSumExp(TensorType qkv) {
        return TensorType.f32(qkv.shape().size(0), heads, qkv.shape().size(1));
    }

    private MemorySegment desc(Arena arena, int device, TensorType qkv) {
        long headSize = qkv.shape().size(2) / 3 / heads;
        MemorySegment desc = velu_attention_desc.allocate(arena);
        velu_attention_desc.device(desc, device);
        velu_attention_desc.dtype(desc, qkv.dtype().code());
        velu_attention_desc.batch(desc, qkv.shape().size(0));
        velu_attention_desc.tokens(desc, qkv.shape().size(1));
        velu_attention_desc.heads(desc, heads);
        velu_attention_desc.head_size(desc, headSize);
        velu_attention_desc.scale(desc, (float) (1 / Math.sqrt(headSize)));
        return desc;
    }

    private void prepare(Context context, TensorType qkv, int pass) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(arena, context.device().kind().ordinal(), qkv);
            context.check(VeluNative.velu_attention_prepare(context.handle(), desc, pass), "velu_attention_prepare");
        }
    }

    /** Multiplications of one matrix product of all images and heads. */
    private static long product(TensorType qkv) {
        Shape shape = qkv.shape();
        return shape.size(0) * shape.size(1) * shape.size(1) * (shape.size(2) / 3);
    }

    /** Input qkv; outputs y, logSumExp or null. */
    record Forward(Attention attention, boolean logSumExp) implements Operation {
        @Override
        public String name() {
            return "attention_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType qkv = attention.inferQkv(name(), inputs);
            return Collections.unmodifiableList(Arrays.asList(y(qkv), logSumExp ? attention.logSumExp(qkv) : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = attention.desc(b.arena(), b.device(), b.inputType(0));
            MemorySegment context = b.context().handle();
            MemorySegment qkv = b.input(0);
            MemorySegment y = b.output(0);
            MemorySegment stored = b.output(1);
            return () -> VeluNative.velu_attention_forward(context, desc, qkv, y, stored);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            attention.prepare(context, inputs.get(0), VeluNative.VELU_PASS_FORWARD());
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            Shape shape = node.output(0).type().shape();
            long tokens = shape.size(1);
            long headSize = shape.size(2) / attention.heads;
            String split = onnx.node(
                    "Reshape",
                    List.of(onnx.name(node.input(0)), onnx.integers(0, tokens, 3, attention.heads, headSize)));
            String heads = onnx.node("Transpose", List.of(split), new Attribute.Ints("perm", 2, 0, 3, 1, 4));
            String q = onnx.node("Gather", List.of(heads, onnx.integer(0)), new Attribute.Int("axis", 0));
            String k = onnx.node("Gather", List.of(heads, onnx.integer(1)), new Attribute.Int("axis", 0));
            String v = onnx.node("Gather", List.of(heads, onnx.integer(2)), new Attribute.Int("axis", 0));
            String keys = onnx.node("Transpose", List.of(k), new Attribute.Ints("perm", 0, 1, 3, 2));
            String scale = onnx.constant((float) (1 / Math.sqrt(headSize)));
            String scores = onnx.node("Mul", List.of(onnx.node("MatMul", List.of(q, keys)), scale));
            String weights = onnx.node("Softmax", List.of(scores), new Attribute.Int("axis", -1));
            String mixed = onnx.node("MatMul", List.of(weights, v));
            String rows = onnx.node("Transpose", List.of(mixed), new Attribute.Ints("perm", 0, 2, 1, 3));
            onnx.define(node.output(0), onnx.node("Reshape", List.of(rows, onnx.integers(0, tokens, shape.size(2)))));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            if (!logSumExp) {
                throw new IllegalStateException(name() + " was recorded without logSumExp, which its gradient needs");
            }
            Value qkv = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    qkv,
                    gradients
                            .graph()
                            .apply(new Backward(attention), qkv, node.output(0), dy, node.output(1))
                            .getFirst());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return PRODUCTS * product(inputs.get(0));
        }
    }

    /** Inputs qkv, y, dy, logSumExp; output dqkv. */
    record Backward(Attention attention) implements Operation {
        @Override
        public String name() {
            return "attention_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType qkv = attention.inferQkv(name(), inputs);
            Types.like(name(), inputs, 1, "y", y(qkv));
            Types.like(name(), inputs, 2, "dy", y(qkv));
            Types.like(name(), inputs, 3, "logSumExp", attention.logSumExp(qkv));
            return List.of(qkv);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = attention.desc(b.arena(), b.device(), b.inputType(0));
            MemorySegment context = b.context().handle();
            MemorySegment qkv = b.input(0);
            MemorySegment y = b.input(1);
            MemorySegment dy = b.input(2);
            MemorySegment logSumExp = b.input(3);
            MemorySegment dqkv = b.output(0);
            return () -> VeluNative.velu_attention_backward(context, desc, qkv, y, dy, logSumExp, dqkv);
        }

        @Override
        public void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {
            attention.prepare(context, inputs.get(0), VeluNative.VELU_PASS_BACKWARD_DATA());
        }

        @Override
        public long macs(List<TensorType> inputs, List<TensorType> outputs) {
            return GRADIENT_PRODUCTS * product(inputs.get(0));
        }
    }
}
