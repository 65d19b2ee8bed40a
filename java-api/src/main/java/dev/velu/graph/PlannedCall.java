package dev.velu.graph;

import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What is known of a native call of a {@link Plan} before it runs. Absent inputs and outputs are null.
 *
 * @param operation the C function without the leading {@code velu_}
 * @param scope the module it belongs to, e.g. {@code layer1.0.conv1}; may be empty
 * @param bytes that must be read and written at least, see {@link Operation#bytes}
 * @param flops of convolutions and matrix products, a multiplication and an addition counted as two; 0 for others
 */
public record PlannedCall(
        String operation,
        String scope,
        Phase phase,
        List<TensorType> inputs,
        List<TensorType> outputs,
        long bytes,
        long flops) {
    /** Copies the lists, in which null stands for what is absent. */
    public PlannedCall {
        inputs = Collections.unmodifiableList(new ArrayList<>(inputs));
        outputs = Collections.unmodifiableList(new ArrayList<>(outputs));
    }

    static PlannedCall of(
            Operation operation, String scope, Phase phase, List<TensorType> inputs, List<TensorType> outputs) {
        return new PlannedCall(
                operation.name(),
                scope,
                phase,
                inputs,
                outputs,
                operation.bytes(inputs, outputs),
                2 * operation.macs(inputs, outputs));
    }

    /** The data type it computes on: that of the first operand that has one of arithmetic, else F32. */
    public DType dtype() {
        return Stream.concat(inputs.stream(), outputs.stream())
                .filter(Objects::nonNull)
                .map(TensorType::dtype)
                .filter(dtype -> dtype == DType.F32 || dtype == DType.BF16)
                .findFirst()
                .orElse(DType.F32);
    }
}
