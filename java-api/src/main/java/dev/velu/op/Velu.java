package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_velu_desc;
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
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * VeLU (Shakarami et al., arXiv 2504.15051): {@code y = lambda A(x)} with the constants of {@link VeluParameters}. The
 * last axis of x holds the channels over which the statistic of a row is taken; x has at least one axis. lambda is an
 * F32 scalar (shape {@code []}) or absent for 1. moments is F32 {@code [3]}: mean of A, standard deviation of A, and
 * W2, the squared Wasserstein-2 distance {@code mean^2 + (std - 1)^2} to the standard normal, over all elements, so x
 * must then have some.
 *
 * @param w2Weight weight of W2 in the loss, finite; 0 for none. Its gradient is part of the backward pass, so the loss
 *     value itself does not have to contain the term.
 */
public record Velu(VeluParameters params, float w2Weight) {
    private static final TensorType SCALAR = TensorType.f32();
    static final TensorType MOMENTS = TensorType.f32(3);

    /** What a recorded VeLU gives. moments is null if they were not asked for. */
    public record Output(Value y, Value moments) {}

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the weight is not finite
     */
    public Velu {
        requireFinite(w2Weight);
    }

    static void requireFinite(float w2Weight) {
        if (!Float.isFinite(w2Weight)) {
            throw new IllegalArgumentException(
                    "the weight " + w2Weight + " of the W2 term is not finite; 0 switches it off");
        }
    }

    /** Records y = VeLU(x) with moments. lambda may be null. */
    public Output apply(Graph graph, Value x, Value lambda) {
        return apply(graph, x, lambda, true);
    }

    /**
     * Records y = VeLU(x). lambda may be null.
     *
     * @param moments whether to compute the moments; the gradient needs them unless the weight of W2 is 0
     */
    public Output apply(Graph graph, Value x, Value lambda, boolean moments) {
        List<Value> outputs = graph.apply(new Forward(this, moments), x, lambda);
        return new Output(outputs.get(0), outputs.get(1));
    }

    /** y = VeLU(x), at once. lambda and moments may be null; y may be x. */
    public void forward(Context context, Tensor x, Tensor lambda, Tensor y, Tensor moments) {
        Eager.run(context, new Forward(this, moments != null), Arrays.asList(x, lambda), Arrays.asList(y, moments));
    }

    /**
     * Gradient of {@code sum(dy y) + w2Weight W2}, at once. lambda and dlambda may be null, moments (from forward) only
     * if the weight of W2 is 0; dx may be dy.
     */
    public void backward(
            Context context, Tensor x, Tensor dy, Tensor lambda, Tensor moments, Tensor dx, Tensor dlambda) {
        Eager.run(
                context,
                new Backward(this, dlambda != null),
                Arrays.asList(x, dy, lambda, moments),
                Arrays.asList(dx, dlambda));
    }

    private TensorType infer(String operation, List<TensorType> inputs) {
        TensorType x = Types.floating(operation, inputs, 0, "x", -1);
        if (x.shape().rank() == 0 || x.shape().size(-1) == 0) {
            throw new IllegalArgumentException(
                    operation + ": x has shape " + x.shape() + ", expected a last axis of at least one channel");
        }
        return x;
    }

    private MemorySegment desc(Binding b) {
        TensorType x = b.inputType(0);
        long channels = x.shape().size(-1);
        MemorySegment desc = velu_velu_desc.allocate(b.arena());
        velu_velu_desc.device(desc, b.device());
        velu_velu_desc.dtype(desc, x.dtype().code());
        velu_velu_desc.rows(desc, x.shape().elements() / channels);
        velu_velu_desc.channels(desc, channels);
        params.write(velu_velu_desc.params(desc));
        velu_velu_desc.w2_weight(desc, w2Weight);
        return desc;
    }

    /** sigmoid(alpha (atan(beta1 x) + asin(clip(beta2 x)))) in ONNX. */
    private String gateToOnnx(String x, OnnxGraph onnx) {
        String atan = onnx.node("Atan", List.of(onnx.node("Mul", List.of(x, onnx.constant(params.beta1())))));
        String clipped = onnx.node(
                "Clip",
                List.of(
                        onnx.node("Mul", List.of(x, onnx.constant(params.beta2()))),
                        onnx.constant(-1),
                        onnx.constant(1)));
        String sum = onnx.node("Add", List.of(atan, onnx.node("Asin", List.of(clipped))));
        return onnx.node("Sigmoid", List.of(onnx.node("Mul", List.of(sum, onnx.constant(params.alpha())))));
    }

    /** 1 + gamma tanh(mu s) in ONNX, clamped if asked for; s over the given axis. */
    private String scaleToOnnx(String x, int channelAxis, OnnxGraph onnx) {
        Attribute axis = new Attribute.Ints("axes", channelAxis);
        String centered = switch (params.statistic()) {
            case INVERSE_RMS -> x;
            case STD -> onnx.node("Sub", List.of(x, onnx.node("ReduceMean", List.of(x), axis)));
        };
        String mean = onnx.node("ReduceMean", List.of(onnx.node("Mul", List.of(centered, centered))), axis);
        String root = onnx.node("Sqrt", List.of(onnx.node("Add", List.of(mean, onnx.constant(params.eps())))));
        String s = switch (params.statistic()) {
            case INVERSE_RMS -> onnx.node("Reciprocal", List.of(root));
            case STD -> root;
        };
        String tanh = onnx.node("Tanh", List.of(onnx.node("Mul", List.of(s, onnx.constant(params.mu())))));
        String scale = onnx.node(
                "Add", List.of(onnx.node("Mul", List.of(tanh, onnx.constant(params.gamma()))), onnx.constant(1)));
        return params.scale() == null
                ? scale
                : onnx.node(
                        "Clip",
                        List.of(
                                scale,
                                onnx.constant(params.scale().min()),
                                onnx.constant(params.scale().max())));
    }

    /** Inputs x, lambda or null; outputs y, moments or null. */
    record Forward(Velu velu, boolean moments) implements Operation {
        @Override
        public String name() {
            return "velu_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = velu.infer(name(), inputs);
            Types.optional(name(), inputs, 1, "lambda", DType.F32);
            if (moments && x.shape().elements() == 0) {
                throw new IllegalArgumentException(
                        name() + ": x has shape " + x.shape() + " and no elements, so it has no moments; ask for none");
            }
            return Collections.unmodifiableList(Arrays.asList(x, moments ? MOMENTS : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = velu.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment lambda = b.input(1);
            MemorySegment y = b.output(0);
            MemorySegment stored = b.output(1);
            return () -> VeluNative.velu_velu_forward(context, desc, x, lambda, y, stored);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            String x = onnx.name(node.input(0));
            String scale = velu.scaleToOnnx(x, OnnxGraph.channelAxis(node.input(0)), onnx);
            String gated = onnx.node("Mul", List.of(x, velu.gateToOnnx(x, onnx)));
            String y = onnx.node("Mul", List.of(gated, scale));
            if (node.input(1) != null) {
                y = onnx.node("Mul", List.of(y, onnx.name(node.input(1))));
            }
            onnx.define(node.output(0), y);
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value lambda = node.input(1);
            Value dy = gradients.of(node.output(0));
            if (dy == null) {
                return;
            }
            Value stored = velu.w2Weight == 0 ? null : node.output(1);
            List<Value> d =
                    gradients.graph().apply(new Backward(velu, gradients.wanted(lambda)), x, dy, lambda, stored);
            gradients.add(x, d.get(0));
            if (d.get(1) != null) {
                gradients.add(lambda, d.get(1));
            }
        }
    }

    /** Inputs x, dy, lambda or null, moments or null; outputs dx, dlambda or null. */
    record Backward(Velu velu, boolean dlambda) implements Operation {
        @Override
        public String name() {
            return "velu_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = velu.infer(name(), inputs);
            Types.like(name(), inputs, 1, "dy", x);
            Types.optional(name(), inputs, 2, "lambda", DType.F32);
            Types.optionalLike(name(), inputs, 3, "moments", MOMENTS);
            if (velu.w2Weight != 0) {
                Types.present(name(), inputs, 3, "moments, which the weight " + velu.w2Weight + " of W2 needs,");
            }
            return Collections.unmodifiableList(Arrays.asList(x, dlambda ? SCALAR : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = velu.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment lambda = b.input(2);
            MemorySegment moments = b.input(3);
            MemorySegment dx = b.output(0);
            MemorySegment gradient = b.output(1);
            return () -> VeluNative.velu_velu_backward(context, desc, x, dy, lambda, moments, dx, gradient);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(1, 0));
        }
    }
}
