package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_layer_norm_desc;
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
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Layer normalization (Ba et al., 2016) over the last axis, with the residual sum before it: {@code y = weight (z -
 * mean(z)) / sqrt(var(z) + eps) + bias} with {@code z = x + residual} and the biased variance. x, residual, z and y are
 * {@code [.., C]} of one type, weight and bias {@code [C]} F32. The statistics that the gradient needs, savedMean and
 * savedInvStd, are F32 of x's shape without its last axis.
 *
 * @param eps added to the variance, positive
 */
public record LayerNorm(float eps) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if eps is not positive and finite
     */
    public LayerNorm {
        if (!(eps > 0 && Float.isFinite(eps))) {
            throw new IllegalArgumentException("layer norm eps " + eps + " is not positive and finite");
        }
    }

    /** Records y, the normalized x. */
    public Value apply(Graph graph, Value x, Value weight, Value bias) {
        return graph.apply(new Forward(this, true), x, null, weight, bias).getFirst();
    }

    /**
     * y and, with a residual, sum = x + residual, at once. residual and sum come together or are both null, as do savedMean
     * and savedInvStd. sum may be x or residual; y too, if it is not the same.
     */
    public void forward(
            Context context,
            Tensor x,
            Tensor residual,
            Tensor weight,
            Tensor bias,
            Tensor y,
            Tensor sum,
            Tensor savedMean,
            Tensor savedInvStd) {
        Eager.run(
                context,
                new Forward(this, savedMean != null),
                Arrays.asList(x, residual, weight, bias),
                Arrays.asList(y, sum, savedMean, savedInvStd));
    }

    /**
     * Gradient with respect to z, which is the forward's x, or sum if it had a residual, at once: of x and residual alike.
     *
     * @param addend what else flows back to z and is added to dx, or null
     * @param dx may be dy or addend
     */
    public void backward(
            Context context,
            Tensor z,
            Tensor dy,
            Tensor addend,
            Tensor weight,
            Tensor savedMean,
            Tensor savedInvStd,
            Tensor dx,
            Tensor dweight,
            Tensor dbias) {
        Eager.run(
                context,
                new Backward(this),
                Arrays.asList(z, dy, addend, weight, savedMean, savedInvStd),
                List.of(dx, dweight, dbias));
    }

    /**
     * The sum of a node joined with the layer norm that reads it next, or null if the next node is none that can take the
     * sum over. The joined operation gives the sum too.
     */
    static Operation.Fused joined(Node sum, Node next) {
        Value z = sum.output(0);
        Value x = sum.input(0);
        Value residual = sum.input(1);
        boolean joins = next.operation() instanceof Forward
                && next.input(0) == z
                && next.input(1) == null
                && next.input(2) != z
                && next.input(3) != z
                && x != residual;
        return !joins
                ? null
                : new Operation.Fused(
                        next.operation(),
                        List.of(x, residual, next.input(2), next.input(3)),
                        Arrays.asList(next.output(0), z, next.output(2), next.output(3)));
    }

    private static TensorType inferX(String operation, List<TensorType> inputs, String operand) {
        TensorType x = Types.floating(operation, inputs, 0, operand, -1);
        if (x.shape().rank() == 0 || x.shape().size(-1) == 0) {
            throw new IllegalArgumentException(operation + ": " + operand + " has shape " + x.shape()
                    + ", expected a last axis of at least one channel");
        }
        return x;
    }

    /** F32, one number for every row of x. */
    private static TensorType statistic(TensorType x) {
        long[] sizes = x.shape().toArray();
        return new TensorType(DType.F32, Shape.of(Arrays.copyOf(sizes, sizes.length - 1)));
    }

    private MemorySegment desc(Binding b) {
        TensorType x = b.inputType(0);
        long channels = x.shape().size(-1);
        MemorySegment desc = velu_layer_norm_desc.allocate(b.arena());
        velu_layer_norm_desc.device(desc, b.device());
        velu_layer_norm_desc.dtype(desc, x.dtype().code());
        velu_layer_norm_desc.rows(desc, x.shape().elements() / channels);
        velu_layer_norm_desc.channels(desc, channels);
        velu_layer_norm_desc.eps(desc, eps);
        return desc;
    }

    /**
     * Inputs x, residual or null, weight, bias; outputs y, sum or null without residual, savedMean, savedInvStd (both null
     * without statistics).
     */
    record Forward(LayerNorm norm, boolean statistics) implements Operation {
        @Override
        public String name() {
            return "layer_norm_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = inferX(name(), inputs, "x");
            Types.optionalLike(name(), inputs, 1, "residual", x);
            Types.exactly(name(), inputs, 2, "weight", DType.F32, x.shape().size(-1));
            Types.exactly(name(), inputs, 3, "bias", DType.F32, x.shape().size(-1));
            TensorType statistic = statistics ? statistic(x) : null;
            return Collections.unmodifiableList(
                    Arrays.asList(x, inputs.get(1) == null ? null : x, statistic, statistic));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = norm.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment residual = b.input(1);
            MemorySegment weight = b.input(2);
            MemorySegment bias = b.input(3);
            MemorySegment y = b.output(0);
            MemorySegment sum = b.output(1);
            MemorySegment savedMean = b.output(2);
            MemorySegment savedInvStd = b.output(3);
            return () -> VeluNative.velu_layer_norm_forward(
                    context, desc, x, residual, weight, bias, sum, y, savedMean, savedInvStd);
        }

        /** An input becomes y or sum, never both. */
        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0), new Alias(1, 0), new Alias(0, 1), new Alias(1, 1));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            String z = onnx.name(node.input(0));
            if (node.input(1) != null) {
                z = onnx.node("Add", List.of(z, onnx.name(node.input(1))));
                onnx.define(node.output(1), z);
            }
            onnx.define(
                    node.output(0),
                    onnx.node(
                            "LayerNormalization",
                            List.of(z, onnx.name(node.input(2)), onnx.name(node.input(3))),
                            new Attribute.Int("axis", -1),
                            new Attribute.Float("epsilon", norm.eps)));
        }

        /** What is known of the gradient of z is added where z's own is computed, not before or after it. */
        @Override
        public void differentiate(Node node, Gradients gradients) {
            if (!statistics) {
                throw new IllegalStateException(name() + " was recorded without statistics, which its gradient needs");
            }
            Value x = node.input(0);
            Value residual = node.input(1);
            Value sum = node.output(1);
            Value dy = gradients.of(node.output(0));
            Value z = residual == null ? x : sum;
            Value known = gradients.of(z);
            if (dy == null) {
                if (residual != null && known != null) {
                    gradients.add(x, known);
                    gradients.add(residual, known);
                }
                return;
            }
            boolean addend = known != null && known.type().equals(z.type());
            if (addend) {
                gradients.take(z);
            }
            List<Value> d = gradients
                    .graph()
                    .apply(
                            new Backward(norm),
                            z,
                            dy,
                            addend ? known : null,
                            node.input(2),
                            node.output(2),
                            node.output(3));
            gradients.add(x, d.get(0));
            if (residual != null) {
                gradients.add(residual, d.get(0));
            }
            gradients.add(node.input(2), d.get(1));
            gradients.add(node.input(3), d.get(2));
        }
    }

    /** Inputs z, dy, addend or null, weight, savedMean, savedInvStd; outputs dx, dweight, dbias. */
    record Backward(LayerNorm norm) implements Operation {
        @Override
        public String name() {
            return "layer_norm_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType z = inferX(name(), inputs, "z");
            long channels = z.shape().size(-1);
            Types.like(name(), inputs, 1, "dy", z);
            Types.optionalLike(name(), inputs, 2, "addend", z);
            Types.exactly(name(), inputs, 3, "weight", DType.F32, channels);
            Types.like(name(), inputs, 4, "savedMean", statistic(z));
            Types.like(name(), inputs, 5, "savedInvStd", statistic(z));
            return List.of(z, TensorType.f32(channels), TensorType.f32(channels));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = norm.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment z = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment addend = b.input(2);
            MemorySegment weight = b.input(3);
            MemorySegment savedMean = b.input(4);
            MemorySegment savedInvStd = b.input(5);
            MemorySegment dx = b.output(0);
            MemorySegment dweight = b.output(1);
            MemorySegment dbias = b.output(2);
            return () -> VeluNative.velu_layer_norm_backward(
                    context, desc, z, dy, addend, weight, savedMean, savedInvStd, dx, dweight, dbias);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(1, 0), new Alias(2, 0));
        }
    }
}
