package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.TensorType;
import java.util.List;
import java.util.stream.Stream;

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

    /**
     * Builds the native call for given memory, or null if there is nothing to do because a {@link #view} has its memory
     * arranged already. Descriptors live in {@link Binding#arena()}.
     */
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

    /**
     * Adds the ONNX nodes that compute a node's outputs to a model and says which tensors they are.
     *
     * @throws IllegalStateException if this operation has no form in ONNX: it belongs to training, or is made by fusion
     */
    default void toOnnx(Node node, OnnxGraph onnx) {
        throw new IllegalStateException(name() + " has no form in ONNX; export the network as recorded for inference");
    }

    /** Whether the first output may be what is differentiated: {@link #differentiate} then takes its gradient as 1. */
    default boolean isLoss() {
        return false;
    }

    /** Outputs that may be written over an input that nobody needs later. */
    default List<Alias> inPlace() {
        return List.of();
    }

    /** How its output is a view of its inputs, for an operation that only moves elements; null for all others. */
    default View view() {
        return null;
    }

    /** Whether an input's rows may lie apart, see {@link TensorType#pitch}. */
    default boolean readsPitched(int input) {
        return false;
    }

    /** Whether an output's rows may lie apart, see {@link TensorType#pitch}. */
    default boolean writesPitched(int output) {
        return false;
    }

    /**
     * This operation joined with the one that consumes its first output, or null if they do not join.
     *
     * @param self the node of this operation
     * @param next the only consumer of {@code self.outputs().get(0)}
     * @param differentiated whether the joined operation must have a gradient
     */
    default Fused fuse(Node self, Node next, boolean differentiated) {
        return null;
    }

    /**
     * This operation joined with the first of several that consume its first output, or null if they do not join. The joined
     * operation still gives that output.
     *
     * @param next the first consumer of {@code self.outputs().get(0)}; others follow
     */
    default Fused fuseKeeping(Node self, Node next) {
        return null;
    }

    /**
     * This operation with its parameters prepared ahead of the runs, or null if there is nothing to prepare.
     *
     * @param self the node of this operation
     * @param next the only consumer of {@code self.outputs().get(0)}, or null; the prepared operation may take it in and then
     *     gives its outputs
     * @param packing adds what prepares the parameters
     */
    default Fused pack(Node self, Node next, Packing packing) {
        return null;
    }

    /** Multiplications with an addition; convolutions and matrix products count, everything else is zero. */
    default long macs(List<TensorType> inputs, List<TensorType> outputs) {
        return 0;
    }

    /**
     * Bytes that must be read and written at least: every input and every output once, and again for a pass over a tensor that
     * needs the result of an earlier pass over it. Scratch memory does not count.
     */
    default long bytes(List<TensorType> inputs, List<TensorType> outputs) {
        return Stream.concat(inputs.stream(), outputs.stream())
                .mapToLong(Operation::bytes)
                .sum();
    }

    /** Bytes of the elements of a tensor, without gaps between its rows; 0 for null. */
    static long bytes(TensorType type) {
        return type == null ? 0 : type.dense().bytes();
    }

    /** Output {@code output} may share the memory of input {@code input}. */
    record Alias(int input, int output) {}

    /** How the planner can arrange memory so that an operation that only moves elements has nothing to do. */
    record View(Kind kind, long firstChannel) {
        /** Where the memory of input and output coincides. */
        public enum Kind {
            /** Output 0 is input 0. */
            SAME,
            /** Output 0 is some channels of input 0. */
            PART,
            /** Output 0 is all inputs beside each other. */
            WHOLE
        }

        /** Output 0 is input 0 under another shape. */
        public static final View SAME = new View(Kind.SAME, 0);

        /** Output 0 is all inputs beside each other, in order. */
        public static final View WHOLE = new View(Kind.WHOLE, 0);

        /** Output 0 is the channels of input 0 from the given one on. */
        public static View part(long firstChannel) {
            return new View(Kind.PART, firstChannel);
        }
    }

    /** A joined operation and its values in its own order; the output values are those of the joined nodes. */
    record Fused(Operation operation, List<Value> inputs, List<Value> outputs) {}
}
