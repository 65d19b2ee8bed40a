package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_top_k_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Counts the rows whose label is among the k largest logits: logits {@code [N, classes]}, labels I32 {@code [N]}, -1
 * for a row to leave out, count an I64 scalar (shape {@code []}). Of equal logits the lower class ranks first; a NaN
 * ranks above everything and a row whose own logit is NaN never counts.
 *
 * @param k positive; more than there are classes counts every labelled row
 */
public record TopK(int k) {
    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if k is not positive
     */
    public TopK {
        if (k < 1) {
            throw new IllegalArgumentException("k " + k + " is not positive");
        }
    }

    /** Records the count. */
    public Value apply(Graph graph, Value logits, Value labels) {
        return graph.apply(new Count(k), logits, labels).getFirst();
    }

    /** The count, at once. */
    public void count(Context context, Tensor logits, Tensor labels, Tensor count) {
        Eager.run(context, new Count(k), List.of(logits, labels), List.of(count));
    }

    /** Inputs logits, labels; output count. It has no gradient. */
    record Count(int k) implements Operation {
        @Override
        public String name() {
            return "top_k_count";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            SoftmaxCrossEntropy.infer(name(), inputs);
            return List.of(new TensorType(DType.I64, Shape.of()));
        }

        @Override
        public NativeCall bind(Binding b) {
            TensorType type = b.inputType(0);
            MemorySegment desc = velu_top_k_desc.allocate(b.arena());
            velu_top_k_desc.device(desc, b.device());
            velu_top_k_desc.dtype(desc, type.dtype().code());
            velu_top_k_desc.rows(desc, type.shape().size(0));
            velu_top_k_desc.classes(desc, type.shape().size(1));
            velu_top_k_desc.k(desc, k);
            MemorySegment context = b.context().handle();
            MemorySegment logits = b.input(0);
            MemorySegment labels = b.input(1);
            MemorySegment count = b.output(0);
            return () -> VeluNative.velu_top_k_count(context, desc, logits, labels, count);
        }
    }
}
