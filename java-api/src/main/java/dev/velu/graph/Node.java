package dev.velu.graph;

import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * One application of an operation. Absent inputs and outputs are null.
 *
 * @param scope the module it belongs to, e.g. {@code layer1.0.conv1}
 */
public record Node(Operation operation, List<Value> inputs, List<Value> outputs, String scope, Phase phase) {
    /** Copies the lists, in which null stands for what is absent. */
    public Node {
        inputs = Collections.unmodifiableList(new ArrayList<>(inputs));
        outputs = Collections.unmodifiableList(new ArrayList<>(outputs));
    }

    /** A node of the forward pass. */
    public Node(Operation operation, List<Value> inputs, List<Value> outputs, String scope) {
        this(operation, inputs, outputs, scope, Phase.FORWARD);
    }

    /** An input; null where it is absent. */
    public Value input(int index) {
        return inputs.get(index);
    }

    /** An output; null where it is absent. */
    public Value output(int index) {
        return outputs.get(index);
    }

    /** Whether {@link Plan#refresh} runs it, and not every run. */
    boolean isPreparation() {
        return outputs.stream().anyMatch(value -> value != null && value.storage() == Value.Storage.CONSTANT);
    }

    /** Types of the inputs, null where one is absent. */
    public List<TensorType> inputTypes() {
        return types(inputs);
    }

    /** Types of the outputs, null where one is absent. */
    public List<TensorType> outputTypes() {
        return types(outputs);
    }

    static List<TensorType> types(List<Value> values) {
        return Arrays.asList(values.stream()
                .map(value -> value == null ? null : value.type())
                .toArray(TensorType[]::new));
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return outputs + " = " + operation.name() + inputs + (scope.isEmpty() ? "" : " in " + scope);
    }
}
