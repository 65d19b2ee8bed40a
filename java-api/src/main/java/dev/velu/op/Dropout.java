package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_dropout_desc;
import dev.velu.device.Context;
import dev.velu.graph.Binding;
import dev.velu.graph.Gradients;
import dev.velu.graph.Graph;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Dropout of a tensor of any shape: an element is kept with probability {@code 1 - probability} and then scaled by
 * {@code 1 / (1 - probability)}. Which ones are kept is a function of the seed, the stream, the training step (an I64
 * scalar, shape {@code []}) and the element's index only, so nothing is stored for the backward pass.
 *
 * @param probability in [0, 1)
 * @param stream distinguishes the dropout sites of a network
 */
public record Dropout(float probability, long seed, int stream) {
    public Dropout {
        if (!(probability >= 0 && probability < 1)) {
            throw new IllegalArgumentException("dropout probability " + probability + " is outside [0, 1)");
        }
    }

    /** Records y = dropout(x) for the training step. */
    public Value apply(Graph graph, Value x, Value step) {
        return graph.apply(new Forward(this), x, step).getFirst();
    }

    /** y = dropout(x), at once; y may be x. */
    public void forward(Context context, Tensor x, Tensor step, Tensor y) {
        Eager.run(context, new Forward(this), List.of(x, step), List.of(y));
    }

    /** dx = dropout(dy) with the mask of the same step, at once; dx may be dy. */
    public void backward(Context context, Tensor dy, Tensor step, Tensor dx) {
        Eager.run(context, new Backward(this), List.of(dy, step), List.of(dx));
    }

    private MemorySegment desc(Binding b) {
        MemorySegment desc = velu_dropout_desc.allocate(b.arena());
        velu_dropout_desc.device(desc, b.device());
        velu_dropout_desc.dtype(desc, b.inputType(0).dtype().code());
        velu_dropout_desc.count(desc, b.inputType(0).shape().elements());
        velu_dropout_desc.seed(desc, seed);
        velu_dropout_desc.stream(desc, stream);
        velu_dropout_desc.probability(desc, probability);
        return desc;
    }

    /** Inputs x, step; output y. */
    record Forward(Dropout dropout) implements Operation {
        @Override
        public String name() {
            return "dropout_forward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType x = Types.floating(name(), inputs, 0, "x", -1);
            Types.exactly(name(), inputs, 1, "step", DType.I64);
            return List.of(x);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = dropout.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment x = b.input(0);
            MemorySegment step = b.input(1);
            MemorySegment y = b.output(0);
            return () -> VeluNative.velu_dropout_forward(context, desc, step, x, y);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dy = gradients.of(node.output(0));
            gradients.add(
                    node.input(0),
                    gradients
                            .graph()
                            .apply(new Backward(dropout), dy, node.input(1))
                            .getFirst());
        }
    }

    /** Inputs dy, step; output dx. */
    record Backward(Dropout dropout) implements Operation {
        @Override
        public String name() {
            return "dropout_backward";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            TensorType dy = Types.floating(name(), inputs, 0, "dy", -1);
            Types.exactly(name(), inputs, 1, "step", DType.I64);
            return List.of(dy);
        }

        @Override
        public NativeCall bind(Binding b) {
            MemorySegment desc = dropout.desc(b);
            MemorySegment context = b.context().handle();
            MemorySegment dy = b.input(0);
            MemorySegment step = b.input(1);
            MemorySegment dx = b.output(0);
            return () -> VeluNative.velu_dropout_backward(context, desc, step, dy, dx);
        }

        @Override
        public List<Alias> inPlace() {
            return List.of(new Alias(0, 0));
        }
    }
}
