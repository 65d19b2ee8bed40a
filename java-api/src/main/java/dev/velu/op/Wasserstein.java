package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_wasserstein_desc;
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
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * The squared Wasserstein-2 distance W2 of an activation A to the standard normal, by any {@link W2 kind}, and the scaling
 * {@code y = lambda A} that ends a VeLU. {@link Velu} has the kind {@link W2#GAUSSIAN} in its own kernels; for the others a
 * VeLU is {@code new Velu(params, 0)} without lambda, joined with a batch norm as ever, and then this: the order of all
 * elements, or of a channel's, is known only when the whole tensor is.
 *
 * <p>A has elements, the last axis being the channels; y is of its type. lambda is an F32 scalar (shape {@code []}) or absent
 * for 1. moments is F32 {@code [3]}: mean of A, standard deviation of A, W2. saved, F32 of {@link #savedType}, is what the
 * backward pass needs where W2 has a weight.
 *
 * @param w2Weight weight of W2 in the loss, finite; 0 for none. Its gradient is part of the backward pass, so the loss value
 *     itself does not have to contain the term.
 */
public record Wasserstein(W2 kind, float w2Weight) {
    private static final TensorType SCALAR = TensorType.f32();

    /** What a recorded scaling gives. */
    public record Output(Value y, Value moments) {}

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the weight is not finite
     */
    public Wasserstein {
        Velu.requireFinite(w2Weight);
    }

    /** Records y = lambda A with the moments. lambda may be null. */
    public Output apply(Graph graph, Value a, Value lambda) {
        List<Value> outputs = graph.apply(new Forward(this, true, w2Weight != 0), a, lambda);
        return new Output(outputs.get(0), outputs.get(2));
    }

    /** What the backward pass keeps of an A: the elements' quantiles, or means and standard deviations. */
    public TensorType savedType(TensorType a) {
        return switch (kind) {
            case EMPIRICAL -> new TensorType(DType.F32, a.shape());
            case PER_CHANNEL -> TensorType.f32(2, a.shape().size(-1));
            case GAUSSIAN -> TensorType.f32(2);
        };
    }

    /** y = lambda A and W2 of A, at once. lambda, y and saved may be null; y may be A. */
    public void forward(Context context, Tensor a, Tensor lambda, Tensor y, Tensor saved, Tensor moments) {
        Eager.run(
                context,
                new Forward(this, y != null, saved != null),
                Arrays.asList(a, lambda),
                Arrays.asList(y, saved, moments));
    }

    /**
     * Gradient of {@code sum(dy lambda A) + w2Weight W2}, at once. lambda and dlambda may be null, dy too for 0, saved (from
     * forward) only if the weight of W2 is 0; da may be dy.
     */
    public void backward(Context context, Tensor a, Tensor dy, Tensor lambda, Tensor saved, Tensor da, Tensor dlambda) {
        Eager.run(
                context,
                new Backward(this, dlambda != null),
                Arrays.asList(a, dy, lambda, saved),
                Arrays.asList(da, dlambda));
    }

    private static TensorType infer(String operation, List<TensorType> inputs) {
        TensorType a = Types.floating(operation, inputs, 0, "a", -1);
        if (a.shape().rank() == 0 || a.shape().elements() == 0) {
            throw new IllegalArgumentException(operation + ": a has shape " + a.shape()
                    + ", expected at least one element on an axis of channels; nothing has no distance");
        }
        return a;
    }

    private MemorySegment desc(Binding b) {
        TensorType a = b.inputType(0);
        long channels = a.shape().size(-1);
        MemorySegment desc = velu_wasserstein_desc.allocate(b.arena());
        velu_wasserstein_desc.device(desc, b.device());
        velu_wasserstein_desc.dtype(desc, a.dtype().code());
        velu_wasserstein_desc.rows(desc, a.shape().elements() / channels);
        velu_wasserstein_desc.channels(desc, channels);
        velu_wasserstein_desc.kind(desc, kind.ordinal());
        velu_wasserstein_desc.w2_weight(desc, w2Weight);
        return desc;
    }

    /** Inputs a, lambda or null; outputs y or null, saved or null, moments. */
    record Forward(Wasserstein wasserstein, boolean scales, boolean saves) implements Operation {
        @Override
        public String name() {
            return "wasserstein_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType a = Wasserstein.infer(name(), inputs);
            Types.optional(name(), inputs, 1, "lambda", DType.F32);
            return Collections.unmodifiableList(
                    Arrays.asList(scales ? a : null, saves ? wasserstein.savedType(a) : null, Velu.MOMENTS));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = wasserstein.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment a = b.input(0);
            MemorySegment lambda = b.input(1);
            MemorySegment y = b.output(0);
            MemorySegment saved = b.output(1);
            MemorySegment moments = b.output(2);
            return () -> VeluNative.velu_wasserstein_forward(context, desc, a, lambda, y, saved, moments);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            String a = onnx.name(node.input(0));
            onnx.define(
                    node.output(0),
                    node.input(1) == null
                            ? onnx.node("Identity", List.of(a))
                            : onnx.node("Mul", List.of(a, onnx.name(node.input(1)))));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value a = node.input(0);
            Value lambda = node.input(1);
            Value dy = gradients.of(node.output(0));
            if (dy == null) {
                return;
            }
            List<Value> d = gradients
                    .graph()
                    .apply(new Backward(wasserstein, gradients.wanted(lambda)), a, dy, lambda, node.output(1));
            gradients.add(a, d.get(0));
            if (d.get(1) != null) {
                gradients.add(lambda, d.get(1));
            }
        }
    }

    /** Inputs a, dy or null, lambda or null, saved or null; outputs da, dlambda or null. */
    record Backward(Wasserstein wasserstein, boolean dlambda) implements Operation {
        @Override
        public String name() {
            return "wasserstein_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType a = Wasserstein.infer(name(), inputs);
            Types.optionalLike(name(), inputs, 1, "dy", a);
            Types.optional(name(), inputs, 2, "lambda", DType.F32);
            Types.optionalLike(name(), inputs, 3, "saved", wasserstein.savedType(a));
            if (wasserstein.w2Weight != 0) {
                Types.present(
                        name(),
                        inputs,
                        3,
                        "what forward saved, which the weight " + wasserstein.w2Weight + " of W2 needs,");
            }
            return Collections.unmodifiableList(Arrays.asList(a, dlambda ? SCALAR : null));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = wasserstein.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment a = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment lambda = b.input(2);
            MemorySegment saved = b.input(3);
            MemorySegment da = b.output(0);
            MemorySegment gradient = b.output(1);
            return () -> VeluNative.velu_wasserstein_backward(context, desc, a, dy, lambda, saved, da, gradient);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(1, 0));
        }
    }
}
