package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The memory an operation is bound to, checked: native code cannot see the size of what a pointer points to. Absent tensors
 * have a null type and {@link MemorySegment#NULL}.
 *
 * @param operation name of the operation, for messages
 * @param arena where descriptors live; outlives the bound call
 */
public record Binding(
        String operation,
        Context context,
        Arena arena,
        List<TensorType> inputTypes,
        List<TensorType> outputTypes,
        List<MemorySegment> inputs,
        List<MemorySegment> outputs) {

    /**
     * Checks every segment against its type.
     *
     * @throws IllegalArgumentException if a segment is missing, on the heap, smaller than its type, not aligned to its
     *     elements, or an output's and read-only
     */
    public Binding {
        check(operation, "input", inputTypes, inputs);
        check(operation, "output", outputTypes, outputs);
        for (int i = 0; i < outputs.size(); i++) {
            requireWritable(operation + ": output " + i, outputs.get(i));
        }
    }

    private static void check(String operation, String side, List<TensorType> types, List<MemorySegment> segments) {
        if (types.size() != segments.size()) {
            throw new IllegalArgumentException(operation + ": " + segments.size() + " segments for " + types.size()
                    + " " + side + "s; give one for each");
        }
        for (int i = 0; i < types.size(); i++) {
            check(operation + ": " + side + " " + i, types.get(i), segments.get(i));
        }
    }

    private static void check(String operand, TensorType type, MemorySegment segment) {
        if (type == null) {
            if (!segment.equals(MemorySegment.NULL)) {
                throw new IllegalArgumentException(operand + " is absent but has memory; give MemorySegment.NULL");
            }
            return;
        }
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    operand + " of " + type + " is on the Java heap; give memory of the context's device");
        }
        if (segment.byteSize() < type.bytes()) {
            throw new IllegalArgumentException(operand + " of " + type + " needs " + type.bytes()
                    + " bytes; its segment has " + segment.byteSize());
        }
        if (segment.address() % type.dtype().bytes() != 0) {
            throw new IllegalArgumentException(operand + " of " + type + " is at address " + segment.address()
                    + ", which is not a multiple of " + type.dtype().bytes());
        }
    }

    private static void requireWritable(String operand, MemorySegment segment) {
        if (segment.isReadOnly()) {
            throw new IllegalArgumentException(operand + " is in read-only memory; give memory that can be written");
        }
    }

    /** Memory of an input; {@link MemorySegment#NULL} where it is absent. */
    public MemorySegment input(int index) {
        return inputs.get(index);
    }

    /**
     * An input that the call also writes.
     *
     * @throws IllegalArgumentException if it is read-only
     */
    public MemorySegment updated(int index) {
        requireWritable(operation + ": input " + index + ", which is updated,", inputs.get(index));
        return inputs.get(index);
    }

    /** Memory of an output; {@link MemorySegment#NULL} where it is absent. */
    public MemorySegment output(int index) {
        return outputs.get(index);
    }

    /** Type of an input; null where it is absent. */
    public TensorType inputType(int index) {
        return inputTypes.get(index);
    }

    /** Type of an output; null where it is absent. */
    public TensorType outputType(int index) {
        return outputTypes.get(index);
    }

    /** Value of the descriptors' {@code device} field. */
    public int device() {
        return context.device().kind().ordinal();
    }
}
