package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_cast_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Conversion between F32 and BF16 of a tensor of any shape; to BF16 it rounds to nearest, ties to even, and a NaN stays
 * a NaN. Its gradient is dy in the dtype of x.
 *
 * @param dtype of y
 */
public record Cast(DType dtype) {
    /**
     * Checks the dtype.
     *
     * @throws IllegalArgumentException for a dtype other than F32 and BF16
     */
    public Cast {
        if (!Types.isFloating(dtype)) {
            throw new IllegalArgumentException("cannot cast to " + dtype + "; cast to F32 or BF16");
        }
    }

    /** Records y = x in the dtype; a value that has it already is returned as it is. */
    public Value apply(Graph graph, Value x) {
        return x.type().dtype() == dtype
                ? x
                : graph.apply(new Forward(dtype), x).getFirst();
    }

    /** y = x in the dtype, at once. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(dtype), List.of(x), List.of(y));
    }

    /** A weight in the dtype of the x it is multiplied with; types that are none to multiply in are left to be refused. */
    static Value weight(Graph graph, Value x, Value weight) {
        DType dtype = x.type().dtype();
        return Types.isFloating(dtype) ? new Cast(dtype).apply(graph, weight) : weight;
    }

    /** What was cast to give this value, or the value itself. */
    static Value source(Value value) {
        boolean cast = value.producer() != null && value.producer().operation() instanceof Forward;
        return cast ? value.producer().input(0) : value;
    }

    /**
     * Adds the gradient of a weight, F32, as the value that stands for the weight takes it: a cast parameter's as it is,
     * so that nothing is rounded on its way to the parameter, any other in the weight's own dtype.
     */
    static void addGradient(Gradients gradients, Value weight, Value dweight) {
        if (gradients.wanted(weight)) {
            boolean cast = weight.producer() != null && weight.producer().operation() instanceof Forward;
            gradients.add(weight, cast ? dweight : new Cast(weight.type().dtype()).apply(gradients.graph(), dweight));
        }
    }

    /** Input x; output y. */
    record Forward(DType dtype) implements Operation {
        @Override
        public String name() {
            return "cast_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            return List.of(new TensorType(dtype, x.shape()));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = velu_cast_desc.allocate(b.arena());
            velu_cast_desc.device(desc, b.device());
            velu_cast_desc.dtype(desc, dtype.code());
            velu_cast_desc.count(desc, b.inputType(0).shape().elements());
            velu_cast_desc.source_dtype(desc, b.inputType(0).dtype().code());
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_cast_forward(context, desc, x, y);
        }

        /** Everything is float32 in ONNX. */
        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            onnx.define(node.output(0), onnx.name(node.input(0)));
        }

        /** dy may be F32 though y is BF16, see {@link Cast#addGradient}. */
        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(x, new Cast(x.type().dtype()).apply(gradients.graph(), dy));
        }
    }
}
