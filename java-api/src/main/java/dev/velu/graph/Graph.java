package dev.velu.graph;

import dev.velu.nn.Parameter;
import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A recording of operations in the order in which they will run. Building it computes shapes only; {@link Fusion} and
 * {@link Autodiff} rewrite and extend it, and a {@link Plan} gives it memory and runs it.
 */
public final class Graph {
    private final List<Node> nodes = new ArrayList<>();
    private final Map<Parameter, Value> parameters = new HashMap<>();
    private final List<Value> inputs = new ArrayList<>();
    private final List<Value> results = new ArrayList<>();
    private int nextId;
    private String scope = "";
    private Phase phase = Phase.FORWARD;

    /** An empty recording. */
    public Graph() {}

    /**
     * A tensor the caller writes before each run.
     *
     * @throws IllegalArgumentException if another input has this name
     */
    public Value input(String name, TensorType type) {
        requireNew("input", name, inputs);
        Value value = value(type, Value.Storage.INPUT, name, null);
        inputs.add(value);
        return value;
    }

    /** The value of a parameter or buffer; the same value for the same parameter. */
    public Value parameter(Parameter parameter) {
        return parameters.computeIfAbsent(parameter, p -> value(p.type(), Value.Storage.PARAMETER, p.name(), p));
    }

    /**
     * Records an operation. Absent inputs are null.
     *
     * @return its outputs, null where it gives none
     * @throws IllegalArgumentException if the inputs' types do not fit
     */
    public List<Value> apply(Operation operation, Value... inputs) {
        List<Value> arguments = Arrays.asList(inputs);
        List<TensorType> types;
        try {
            types = operation.infer(Node.types(arguments));
        } catch (IllegalArgumentException e) {
            throw scope.isEmpty() ? e : new IllegalArgumentException(scope + ": " + e.getMessage(), e);
        }
        List<Value> outputs = new ArrayList<>();
        for (TensorType type : types) {
            outputs.add(type == null ? null : value(type, Value.Storage.TEMPORARY, null, null));
        }
        append(new Node(operation, arguments, outputs, scope, phase));
        return Collections.unmodifiableList(outputs);
    }

    /**
     * Keeps a computed value readable after a run, under a name.
     *
     * @throws IllegalArgumentException if another result has this name
     * @throws IllegalStateException if the value is an input, a parameter or a result already
     */
    public Value result(String name, Value value) {
        requireNew("result", name, results);
        value.store(Value.Storage.RESULT, name, null);
        results.add(value);
        return value;
    }

    /** Runs a builder inside a named scope: nodes it records carry the name. */
    public <T> T within(String name, Supplier<T> builder) {
        String outer = scope;
        scope = name;
        try {
            return builder.get();
        } finally {
            scope = outer;
        }
    }

    /** What is recorded from now on belongs to this part of the step. */
    void phase(Phase next) {
        phase = next;
    }

    /** The operations in order. */
    public List<Node> nodes() {
        return Collections.unmodifiableList(nodes);
    }

    /** The inputs, in the order in which they were added. */
    public List<Value> inputs() {
        return Collections.unmodifiableList(inputs);
    }

    /** The results, in the order in which they were marked. */
    public List<Value> results() {
        return Collections.unmodifiableList(results);
    }

    /** A value that is computed from parameters alone and kept between runs. */
    Value constant(TensorType type) {
        return value(type, Value.Storage.CONSTANT, null, null);
    }

    void append(Node node) {
        nodes.add(node);
        for (Value output : node.outputs()) {
            if (output != null) {
                output.producedBy(node);
            }
        }
    }

    void replaceNodes(List<Node> replacement) {
        nodes.clear();
        replacement.forEach(this::append);
    }

    private static void requireNew(String kind, String name, List<Value> known) {
        if (known.stream().anyMatch(value -> value.name().equals(name))) {
            throw new IllegalArgumentException(
                    "the graph has the " + kind + " '" + name + "' already; give it another name");
        }
    }

    private Value value(TensorType type, Value.Storage storage, String name, Parameter parameter) {
        return new Value(nextId++, type, storage, name, parameter);
    }
}
