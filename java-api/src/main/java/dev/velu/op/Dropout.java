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
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Dropout of a tensor of any shape: an element is kept with probability {@code 1 - probability} and then scaled by
 * {@code 1 / (1 - probability)}. Which ones are kept is a function of the seed, the stream, the training step (an I64
 * scalar, shape {@code []}) and the element's or the image's index only, so nothing is stored for the backward pass.
 *
 * @param probability in [0, 1)
 * @param stream distinguishes the dropout sites of a network
 * @param mode what is kept or dropped together
 */
public record Dropout(float probability, long seed, int stream, Mode mode) {
    /** What is kept or dropped together. */
    public enum Mode {
        /** Every element alone. */
        ELEMENT,
        /** All of an image, x's first axis being the images: stochastic depth (Huang et al., ECCV 2016). */
        ROW
    }

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if the probability is outside [0, 1)
     */
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

    private TensorType infer(String operation, List<TensorType> inputs, String operand) {
        TensorType type = Types.floating(operation, inputs, 0, operand, -1);
        if (mode == Mode.ROW && type.shape().rank() == 0) {
            throw new IllegalArgumentException(
                    operation + ": " + operand + " is a scalar, expected a first axis of images to keep or drop");
        }
        Types.exactly(operation, inputs, 1, "step", DType.I64);
        return type;
    }

    /** Elements that share one decision; at least 1, as the descriptor demands of a tensor without elements too. */
    private long group(Shape shape) {
        return mode == Mode.ELEMENT || shape.elements() == 0 ? 1 : shape.elements() / shape.size(0);
    }

    private MemorySegment desc(Binding b) {
        MemorySegment desc = velu_dropout_desc.allocate(b.arena());
        velu_dropout_desc.device(desc, b.device());
        velu_dropout_desc.dtype(desc, b.inputType(0).dtype().code());
        velu_dropout_desc.count(desc, b.inputType(0).shape().elements());
        velu_dropout_desc.seed(desc, seed);
        velu_dropout_desc.stream(desc, stream);
        velu_dropout_desc.probability(desc, probability);
        velu_dropout_desc.group(desc, group(b.inputType(0).shape()));
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
            return List.of(dropout.infer(name(), inputs, "x"));
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
            return List.of(dropout.infer(name(), inputs, "dy"));
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
