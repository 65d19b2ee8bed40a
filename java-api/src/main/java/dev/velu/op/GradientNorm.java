package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_gradient_norm_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The Euclidean norm of a flat buffer of gradients, accumulated in float64 in a fixed order. Input gradients {@code
 * [count]}; output norm, an F32 scalar (shape {@code []}).
 */
public record GradientNorm() implements Operation {
    /** norm = sqrt(sum(gradients^2)), at once. */
    public void norm(Context context, Tensor gradients, Tensor norm) {
        Eager.run(context, this, List.of(gradients), List.of(norm));
    }

    @Override
    public String name() {
        return "gradient_norm";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
        Types.floating(name(), inputs, 0, "gradients", 1);
        return List.of(TensorType.f32());
    }

    @Override
    public NativeCall bind(Binding b) {
        MemorySegment desc = velu_gradient_norm_desc.allocate(b.arena());
        velu_gradient_norm_desc.device(desc, b.device());
        velu_gradient_norm_desc.dtype(desc, b.inputType(0).dtype().code());
        velu_gradient_norm_desc.count(desc, b.inputType(0).shape().elements());
        MemorySegment context = b.context().handle();
        MemorySegment gradients = b.input(0);
        MemorySegment norm = b.output(0);
        return () -> VeluNative.velu_gradient_norm(context, desc, gradients, norm);
    }
}
