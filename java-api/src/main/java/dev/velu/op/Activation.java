package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_activation_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.onnx.OnnxGraph;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A pointwise activation {@code y = f(x)} of a tensor of any shape; y has the type of x. Its gradient is {@code dx = dy
 * f'(x)}, with f' of ReLU 0 at 0 and f' of ReLU6 0 at 0 and 6.
 */
public record Activation(Pointwise function) {
    /** Records y = f(x). */
    public Value apply(Graph graph, Value x) {
        return graph.apply(new Forward(function), x).getFirst();
    }

    /** y = f(x), at once; y may be x. */
    public void forward(Context context, Tensor x, Tensor y) {
        Eager.run(context, new Forward(function), List.of(x), List.of(y));
    }

    /** dx = dy f'(x), at once; dx may be dy. */
    public void backward(Context context, Tensor x, Tensor dy, Tensor dx) {
        Eager.run(context, new Backward(function), List.of(x, dy), List.of(dx));
    }

    /**
     * Whether another operation may apply the function to its result and give only y: always without a gradient, and with one
     * where f' can be told from y as well as from x.
     */
    static boolean joins(Pointwise function, boolean differentiated) {
        return !differentiated || function == Pointwise.RELU || function == Pointwise.RELU6;
    }

    /** The gradient before a joined function, which {@link #joins} with a gradient, or dy where there is none. */
    static Value gradientBefore(Pointwise function, Graph graph, Value y, Value dy) {
        return function == null
                ? dy
                : graph.apply(new Backward(function), y, dy).getFirst();
    }

    /** Value of a descriptor's field for a function, or none. */
    static int code(Pointwise function) {
        return function == null ? VeluNative.VELU_ACTIVATION_IDENTITY() : function.code();
    }

    private static MemorySegment desc(Binding b, Pointwise function) {
        MemorySegment desc = velu_activation_desc.allocate(b.arena());
        velu_activation_desc.device(desc, b.device());
        velu_activation_desc.dtype(desc, b.inputType(0).dtype().code());
        velu_activation_desc.count(desc, b.inputType(0).shape().elements());
        velu_activation_desc.activation(desc, function.code());
        return desc;
    }

    /** Input x; output y. */
    record Forward(Pointwise function) implements Operation {
        @Override
        public String name() {
            return "activation_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            return List.of(Types.floating(name(), inputs, 0, "x", -1));
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b, function);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_activation_forward(context, desc, x, y);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            onnx.define(node.output(0), function.toOnnx(onnx.name(node.input(0)), onnx));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    x, gradients.graph().apply(new Backward(function), x, dy).getFirst());
        }
    }

    /** Inputs x, dy; output dx. */
    record Backward(Pointwise function) implements Operation {
        @Override
        public String name() {
            return "activation_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            Types.like(name(), inputs, 1, "dy", x);
            return List.of(x);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = desc(b, function);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment dy = b.input(1);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_activation_backward(context, desc, x, dy, dx);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(1, 0));
        }
    }
}
