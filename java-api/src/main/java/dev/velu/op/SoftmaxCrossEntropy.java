package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_softmax_cross_entropy_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Softmax cross-entropy, averaged over the rows that have a label (torch's reduction "mean" with ignore_index -1).
 * Shapes: logits {@code [N, classes]}, labels I32 {@code [N]} in 0..classes-1 or -1 for a row to leave out, loss an F32
 * scalar (shape {@code []}), logSumExp F32 {@code [N]}. The target distribution is {@code (1 - labelSmoothing)
 * onehot(label) + labelSmoothing / classes}.
 *
 * <p>Rows may have two classes, as mixup and cutmix make them: otherLabels I32 {@code [N]}, a class in every row with a label,
 * and shares F32 {@code [N]} in [0, 1]. Then {@code share onehot(label) + (1 - share) onehot(otherLabel)} stands for {@code
 * onehot(label)}.
 *
 * @param labelSmoothing in [0, 1]
 */
public record SoftmaxCrossEntropy(float labelSmoothing) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if label smoothing is outside [0, 1]
     */
    public SoftmaxCrossEntropy {
        if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
            throw new IllegalArgumentException("label smoothing " + labelSmoothing + " is outside [0, 1]");
        }
    }

    /** Records the loss of rows of one class. */
    public Value apply(Graph graph, Value logits, Value labels) {
        return apply(graph, logits, labels, null, null);
    }

    /** Records the loss. otherLabels and shares may be null, together. */
    public Value apply(Graph graph, Value logits, Value labels, Value otherLabels, Value shares) {
        return graph.apply(new Forward(this), logits, labels, otherLabels, shares)
                .getFirst();
    }

    /** The loss of rows of one class and logSumExp, at once. */
    public void forward(Context context, Tensor logits, Tensor labels, Tensor loss, Tensor logSumExp) {
        forward(context, logits, labels, null, null, loss, logSumExp);
    }

    /** The loss and logSumExp, at once. otherLabels and shares may be null, together. */
    public void forward(
            Context context,
            Tensor logits,
            Tensor labels,
            Tensor otherLabels,
            Tensor shares,
            Tensor loss,
            Tensor logSumExp) {
        Eager.run(
                context,
                new Forward(this),
                Arrays.asList(logits, labels, otherLabels, shares),
                List.of(loss, logSumExp));
    }

    /** dlogits of rows of one class times dloss, at once. dloss may be null for 1; logSumExp is what forward stored. */
    public void backward(
            Context context, Tensor logits, Tensor labels, Tensor logSumExp, Tensor dloss, Tensor dlogits) {
        backward(context, logits, labels, null, null, logSumExp, dloss, dlogits);
    }

    /**
     * dlogits times dloss, at once. otherLabels and shares may be null, together; dloss may be null for 1; logSumExp is what
     * forward stored.
     */
    public void backward(
            Context context,
            Tensor logits,
            Tensor labels,
            Tensor otherLabels,
            Tensor shares,
            Tensor logSumExp,
            Tensor dloss,
            Tensor dlogits) {
        Eager.run(
                context,
                new Backward(this),
                Arrays.asList(logits, labels, otherLabels, shares, logSumExp, dloss),
                List.of(dlogits));
    }

    /** Checks logits and labels, shared with {@link TopK}. */
    static TensorType infer(String operation, List<TensorType> inputs) {
        TensorType logits = Types.floating(operation, inputs, 0, "logits", 2);
        if (logits.shape().elements() == 0) {
            throw new IllegalArgumentException(
                    operation + ": logits have shape " + logits.shape() + ", expected at least one row and one class");
        }
        Types.exactly(operation, inputs, 1, "labels", DType.I32, logits.shape().size(0));
        return logits;
    }

    private static TensorType inferTargets(String operation, List<TensorType> inputs) {
        TensorType logits = infer(operation, inputs);
        long rows = logits.shape().size(0);
        Types.optional(operation, inputs, 2, "otherLabels", DType.I32, rows);
        Types.optional(operation, inputs, 3, "shares", DType.F32, rows);
        if ((inputs.get(2) == null) != (inputs.get(3) == null)) {
            throw new IllegalArgumentException(
                    operation + ": one of otherLabels and shares is missing; give both or none");
        }
        return logits;
    }

    private MemorySegment desc(Binding b) {
        TensorType logits = b.inputType(0);
        MemorySegment desc = velu_softmax_cross_entropy_desc.allocate(b.arena());
        velu_softmax_cross_entropy_desc.device(desc, b.device());
        velu_softmax_cross_entropy_desc.dtype(desc, logits.dtype().code());
        velu_softmax_cross_entropy_desc.rows(desc, logits.shape().size(0));
        velu_softmax_cross_entropy_desc.classes(desc, logits.shape().size(1));
        velu_softmax_cross_entropy_desc.label_smoothing(desc, labelSmoothing);
        return desc;
    }

    /** Inputs logits, labels, otherLabels and shares or both null; outputs loss, logSumExp. */
    record Forward(SoftmaxCrossEntropy loss) implements Operation {
        @Override
        public String name() {
            return "softmax_cross_entropy_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType logits = inferTargets(name(), inputs);
            return List.of(TensorType.f32(), TensorType.f32(logits.shape().size(0)));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = loss.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment logits = b.input(0);
            MemorySegment labels = b.input(1);
            MemorySegment otherLabels = b.input(2);
            MemorySegment shares = b.input(3);
            MemorySegment mean = b.output(0);
            MemorySegment logSumExp = b.output(1);
            return () -> VeluNative.velu_softmax_cross_entropy_forward(
                    context, desc, logits, labels, otherLabels, shares, mean, logSumExp);
        }

        @Override
        public boolean isLoss() {
            return true;
        }

        /** Where the loss has no gradient yet it is what is differentiated, and its gradient is 1. */
        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value logits = node.input(0);
            Value dloss = gradients.of(node.output(0));
            gradients.add(
                    logits,
                    gradients
                            .graph()
                            .apply(
                                    new Backward(loss),
                                    logits,
                                    node.input(1),
                                    node.input(2),
                                    node.input(3),
                                    node.output(1),
                                    dloss)
                            .getFirst());
        }
    }

    /** Inputs logits, labels, otherLabels and shares or both null, logSumExp, dloss or null for 1; output dlogits. */
    record Backward(SoftmaxCrossEntropy loss) implements Operation {
        @Override
        public String name() {
            return "softmax_cross_entropy_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType logits = inferTargets(name(), inputs);
            Types.exactly(
                    name(), inputs, 4, "logSumExp", DType.F32, logits.shape().size(0));
            Types.optional(name(), inputs, 5, "dloss", DType.F32);
            return List.of(logits);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = loss.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment logits = b.input(0);
            MemorySegment labels = b.input(1);
            MemorySegment otherLabels = b.input(2);
            MemorySegment shares = b.input(3);
            MemorySegment logSumExp = b.input(4);
            MemorySegment dloss = b.input(5);
            MemorySegment dlogits = b.output(0);
            return () -> VeluNative.velu_softmax_cross_entropy_backward(
                    context, desc, logits, labels, otherLabels, shares, logSumExp, dloss, dlogits);
        }
    }
}
