package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_activation_statistics_desc;
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
import java.util.Arrays;
import java.util.List;

/**
 * What an activation function does to x: inputs x and a = f(x) of one type (for VeLU a is before lambda), the last axis
 * being the channels, and lambda, an F32 scalar (shape {@code []}) or absent for 1. Outputs:
 *
 * <ul>
 *   <li>values, F32 {@code [6]}: mean and standard deviation of a, {@code mean^2 + (std - 1)^2}, and the least, mean and largest
 *       adaptive scale of the rows (1 for all but VeLU);
 *   <li>counts, I64 {@code [2]}: dead units, which are channels with {@code |lambda a| <= 1e-6} in all rows; and saturated
 *       elements, where f has no gradient or nearly none: VeLU {@code |beta2 x| >= 1}, where the asin is clipped; ReLU
 *       {@code x <= 0}; ReLU6 {@code x <= 0} or {@code x >= 6}; SiLU and GELU where the factor of x is below 0.001; sigmoid
 *       {@code |x| >= 6.9067548}. A NaN is not saturated, and makes its unit not dead.
 * </ul>
 */
public record ActivationStatistics(ActivationFunction function) implements Operation {
    private static final TensorType VALUES = TensorType.f32(6);
    private static final TensorType COUNTS = new TensorType(DType.I64, Shape.of(2));

    /** What a recorded measurement gives. */
    public record Output(Value values, Value counts) {}

    /** Records the measurement. lambda may be null. */
    public Output apply(Graph graph, Value x, Value a, Value lambda) {
        List<Value> outputs = graph.apply(this, x, a, lambda);
        return new Output(outputs.get(0), outputs.get(1));
    }

    /** Measures at once. lambda may be null. */
    public void measure(Context context, Tensor x, Tensor a, Tensor lambda, Tensor values, Tensor counts) {
        Eager.run(context, this, Arrays.asList(x, a, lambda), List.of(values, counts));
    }

    @Override
    public String name() {
        return "activation_statistics";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
        TensorType x = Types.floating(name(), inputs, 0, "x", -1);
        if (x.shape().rank() == 0 || x.shape().elements() == 0) {
            throw new IllegalArgumentException(
                    name() + ": x has shape " + x.shape() + ", expected at least one element on an axis of channels");
        }
        Types.like(name(), inputs, 1, "a", x);
        Types.optional(name(), inputs, 2, "lambda", DType.F32);
        return List.of(VALUES, COUNTS);
    }

    @Override
    public NativeCall bind(Binding b) {
        TensorType type = b.inputType(0);
        long channels = type.shape().size(-1);
        MemorySegment desc = velu_activation_statistics_desc.allocate(b.arena());
        velu_activation_statistics_desc.device(desc, b.device());
        velu_activation_statistics_desc.dtype(desc, type.dtype().code());
        velu_activation_statistics_desc.rows(desc, type.shape().elements() / channels);
        velu_activation_statistics_desc.channels(desc, channels);
        velu_activation_statistics_desc.activation(desc, function.code());
        if (function instanceof VeluParameters params) {
            params.write(velu_activation_statistics_desc.params(desc));
        }
        MemorySegment context = b.context().handle();
        MemorySegment x = b.input(0);
        MemorySegment a = b.input(1);
        MemorySegment lambda = b.input(2);
        MemorySegment values = b.output(0);
        MemorySegment counts = b.output(1);
        return () -> VeluNative.velu_activation_statistics(context, desc, x, a, lambda, values, counts);
    }
}
