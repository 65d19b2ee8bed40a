package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.tensor.TensorType;
import java.util.List;

/**
 * One verb of one operation with its attributes, before it has tensors: what it gives for what inputs, the native call that
 * computes it, and its gradient. Absent optional inputs and outputs are null.
 *
 * <p>Implementations are records in {@code dev.velu.op}, so equal attributes are equal operations.
 */
public interface Operation {
    /** The C function without the leading {@code velu_}, e.g. {@code conv2d_forward}. */
    String name();

    /**
     * Types of the outputs.
     *
     * @throws IllegalArgumentException if the inputs do not fit; names the shapes
     */
    List<TensorType> infer(List<TensorType> inputs);

    /** Builds the native call for given memory. Descriptors live in {@link Binding#arena()}. */
    NativeCall bind(Binding binding);

    /**
     * Chooses the implementation ahead of the first call and grows the context's scratch memory to its need, where the
     * operation has such a choice.
     */
    default void prepare(Context context, List<TensorType> inputs, List<TensorType> outputs) {}

    /**
     * Adds the operations that compute the gradients of a node's inputs to the graph.
     *
     * @throws IllegalStateException if this operation has no gradient
     */
    default void differentiate(Node node, Gradients gradients) {
        throw new IllegalStateException(name() + " has no gradient");
    }

    /** Whether the first output may be what is differentiated: {@link #differentiate} then takes its gradient as 1. */
    default boolean isLoss() {
        return false;
    }

    /** Outputs that may be written over an input that nobody needs later. */
    default List<Alias> inPlace() {
        return List.of();
    }

    /**
     * This operation joined with the one that consumes its first output, or null if they do not join.
     *
     * @param self the node of this operation
     * @param next the only consumer of {@code self.outputs().get(0)}
     */
    default Fused fuse(Node self, Node next) {
        return null;
    }

    /** Multiplications with an addition; convolutions and matrix products count, everything else is zero. */
    default long macs(List<TensorType> inputs, List<TensorType> outputs) {
        return 0;
    }

    /** Output {@code output} may share the memory of input {@code input}. */
    record Alias(int input, int output) {}

    /** A joined operation and its values in its own order; the output values are those of the joined nodes. */
    record Fused(Operation operation, List<Value> inputs, List<Value> outputs) {}
}
