package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_add_desc;
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

/** Sum {@code y = a + b} of two tensors of the same type and any shape. Its gradient is dy for both. */
public record Add() {
    /** Records y = a + b. */
    public Value apply(Graph graph, Value a, Value b) {
        return graph.apply(new Forward(), a, b).getFirst();
    }

    /** y = a + b, at once; y may be a or b. */
    public void forward(Context context, Tensor a, Tensor b, Tensor y) {
        Eager.run(context, new Forward(), List.of(a, b), List.of(y));
    }

    /** Inputs a, b; output y. */
    record Forward() implements Operation {
        @Override
        public String name() {
            return "add_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType a = Types.floating(name(), inputs, 0, "a", -1);
            Types.like(name(), inputs, 1, "b", a);
            return List.of(a);
        }

        @Override
        public NativeCall bind(Binding binding) {
            MemorySegment desc = velu_add_desc.allocate(binding.arena());
            velu_add_desc.device(desc, binding.device());
            velu_add_desc.dtype(desc, binding.inputType(0).dtype().code());
            velu_add_desc.count(desc, binding.inputType(0).shape().elements());
            MemorySegment context = binding.context().handle();
            MemorySegment a = binding.input(0);
            MemorySegment b = binding.input(1);
            MemorySegment y = binding.output(0);
            return () -> VeluNative.velu_add_forward(context, desc, a, b, y);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0), new Alias(1, 0));
        }

        @Override
        public Fused fuse(Node self, Node next, boolean differentiated) {
            return LayerNorm.joined(self, next);
        }

        @Override
        public Fused fuseKeeping(Node self, Node next) {
            return LayerNorm.joined(self, next);
        }

        @Override
        public void toOnnx(Node node, OnnxGraph onnx) {
            List<String> inputs = List.of(onnx.name(node.input(0)), onnx.name(node.input(1)));
            onnx.define(node.output(0), onnx.node("Add", inputs));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dy = gradients.of(node.output(0));
            gradients.add(node.input(0), dy);
            gradients.add(node.input(1), dy);
        }
    }
}
