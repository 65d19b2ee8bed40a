package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The memory an operation is bound to. Absent tensors have a null type and {@link MemorySegment#NULL}.
 *
 * @param arena where descriptors live; outlives the bound call
 */
public record Binding(
        Context context,
        Arena arena,
        List<TensorType> inputTypes,
        List<TensorType> outputTypes,
        List<MemorySegment> inputs,
        List<MemorySegment> outputs) {

    public MemorySegment input(int index) {
        return inputs.get(index);
    }

    public MemorySegment output(int index) {
        return outputs.get(index);
    }

    public TensorType inputType(int index) {
        return inputTypes.get(index);
    }

    public TensorType outputType(int index) {
        return outputTypes.get(index);
    }

    /** Value of the descriptors' {@code device} field. */
    public int device() {
        return context.device().kind().ordinal();
    }
}
