package dev.velu.op;

import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/** Runs an operation at once on tensors. Absent optional tensors are null. */
final class Eager {
    private Eager() {}

    /**
     * @throws IllegalArgumentException if a tensor is missing, of the wrong type, on another device, or to be written and
     *     read-only
     * @throws IllegalStateException if a tensor or the context is closed
     * @throws dev.velu.device.VeluException if the call fails
     */
    static void run(Context context, Operation operation, List<Tensor> inputs, List<Tensor> outputs) {
        List<TensorType> inputTypes = types(inputs);
        List<TensorType> expected = operation.infer(inputTypes);
        for (int i = 0; i < expected.size(); i++) {
            Tensor output = outputs.get(i);
            if (expected.get(i) == null
                    ? output != null
                    : output == null || !output.type().equals(expected.get(i))) {
                throw new IllegalArgumentException(operation.name() + ": output " + i + " is "
                        + (output == null ? "missing" : output.type()) + ", expected "
                        + (expected.get(i) == null ? "none" : expected.get(i)));
            }
        }
        try (Arena arena = Arena.ofConfined()) {
            NativeCall call = operation.bind(new Binding(
                    operation.name(),
                    context,
                    arena,
                    inputTypes,
                    expected,
                    segments(context, operation, inputs),
                    segments(context, operation, outputs)));
            if (call != null) {
                context.check(NativeCall.run(call), "velu_" + operation.name());
            }
        }
    }

    private static List<TensorType> types(List<Tensor> tensors) {
        return Arrays.asList(
                tensors.stream().map(t -> t == null ? null : t.type()).toArray(TensorType[]::new));
    }

    private static List<MemorySegment> segments(Context context, Operation operation, List<Tensor> tensors) {
        return tensors.stream()
                .map(tensor -> {
                    if (tensor == null) {
                        return MemorySegment.NULL;
                    }
                    if (!tensor.context().device().equals(context.device())) {
                        throw new IllegalArgumentException(operation.name() + ": a tensor is on "
                                + tensor.context().device() + ", the context on " + context.device());
                    }
                    return tensor.segment();
                })
                .toList();
    }
}
