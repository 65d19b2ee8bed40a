package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_lerp_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A step of an average towards new values: {@code average += weight (values - average)}, or {@code average = values} where the
 * weight is 1, whatever the average was. Running means and exponential moving averages are made of it. Inputs, of which the
 * average is updated:
 *
 * <ol start="0">
 *   <li>weight: an F32 scalar (shape {@code []}) in [0, 1]
 *   <li>values: {@code [count]}
 *   <li>average: F32 {@code [count]}
 * </ol>
 *
 * It has no outputs.
 */
public record Lerp() implements Operation {
    /** The step, at once. */
    public void step(Context context, Tensor weight, Tensor values, Tensor average) {
        Eager.run(context, this, List.of(weight, values, average), List.of());
    }

    @Override
    public String name() {
        return "lerp";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
        Types.exactly(name(), inputs, 0, "weight", DType.F32);
        TensorType values = Types.floating(name(), inputs, 1, "values", 1);
        Types.like(name(), inputs, 2, "average", new TensorType(DType.F32, values.shape()));
        return List.of();
    }

    @Override
    public NativeCall bind(Binding b) {
        MemorySegment desc = velu_lerp_desc.allocate(b.arena());
        velu_lerp_desc.device(desc, b.device());
        velu_lerp_desc.dtype(desc, b.inputType(1).dtype().code());
        velu_lerp_desc.count(desc, b.inputType(1).shape().elements());
        MemorySegment context = b.context().handle();
        MemorySegment weight = b.input(0);
        MemorySegment values = b.input(1);
        MemorySegment average = b.updated(2);
        return () -> VeluNative.velu_lerp(context, desc, weight, values, average);
    }

    /** The average is read and written. */
    @Override
    public long bytes(List<TensorType> inputs, List<TensorType> outputs) {
        return Operation.super.bytes(inputs, outputs) + Operation.bytes(inputs.get(2));
    }
}
