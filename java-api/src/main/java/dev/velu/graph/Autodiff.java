package dev.velu.graph;

import dev.velu.nn.Parameter;
import dev.velu.op.Add;
import dev.velu.op.Cast;
import dev.velu.tensor.DType;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Reverse-mode differentiation: walks a forward graph backwards and lets every operation add the operations that compute the
 * gradients of its inputs. Where a value has several consumers the contributions are summed.
 */
public final class Autodiff {
    private Autodiff() {}

    /** As {@link #differentiate(Graph, Value, Predicate)}, with respect to every trainable parameter. */
    public static Map<Parameter, Value> differentiate(Graph graph, Value loss) {
        return differentiate(graph, loss, Parameter::trainable);
    }

    /**
     * Adds the backward operations for a scalar loss to the graph and stores the gradient of every trained parameter that
     * the loss depends on as {@link Value.Storage#GRADIENT}. Nothing is computed for what no trained parameter stands before.
     *
     * @param loss the output of a loss operation, whose gradient is 1
     * @param trained which parameters get gradients
     * @return the trained parameters with their gradients, in the order of their first use
     * @throws IllegalArgumentException if loss is not the output of a loss operation
     * @throws IllegalStateException if an operation on the way has no gradient, or two parameters share one
     */
    public static Map<Parameter, Value> differentiate(Graph graph, Value loss, Predicate<Parameter> trained) {
        Node source = loss.producer();
        if (source == null || !source.operation().isLoss() || source.output(0) != loss) {
            throw new IllegalArgumentException(
                    loss + " is not the output of a loss operation, e.g. softmax cross-entropy");
        }
        List<Node> forward = List.copyOf(graph.nodes());
        Tape tape = new Tape(graph, wanted(forward, trained));
        graph.phase(Phase.BACKWARD);
        for (Node node : forward.reversed()) {
            boolean reached = node.outputs().stream().anyMatch(v -> v != null && (v == loss || tape.of(v) != null));
            if (reached && node.inputs().stream().anyMatch(tape::wanted)) {
                graph.within(node.scope(), () -> {
                    node.operation().differentiate(node, tape);
                    return null;
                });
            }
        }
        graph.phase(Phase.FORWARD);
        Map<Parameter, Value> gradients = new LinkedHashMap<>();
        for (Node node : forward) {
            for (Value input : node.inputs()) {
                if (isTrained(input, trained) && tape.of(input) != null && !gradients.containsKey(input.parameter())) {
                    Value gradient = tape.of(input);
                    if (gradient.storage() != Value.Storage.TEMPORARY) {
                        throw new IllegalStateException("the gradient of parameter " + input.name()
                                + " is stored already, as " + gradient.storage() + " '" + gradient.name()
                                + "'; parameters that are only added to each other are trained as one");
                    }
                    gradient.store(Value.Storage.GRADIENT, input.name(), input.parameter());
                    gradients.put(input.parameter(), gradient);
                }
            }
        }
        return gradients;
    }

    private static boolean isTrained(Value value, Predicate<Parameter> trained) {
        return value != null && value.storage() == Value.Storage.PARAMETER && trained.test(value.parameter());
    }

    /** Trained parameters and everything computed from them. */
    static Set<Value> wanted(List<Node> nodes, Predicate<Parameter> trained) {
        Set<Value> wanted = new HashSet<>();
        for (Node node : nodes) {
            boolean depends = false;
            for (Value input : node.inputs()) {
                if (isTrained(input, trained)) {
                    wanted.add(input);
                }
                depends |= wanted.contains(input);
            }
            if (depends) {
                node.outputs().stream().filter(v -> v != null).forEach(wanted::add);
            }
        }
        return wanted;
    }

    private record Tape(Graph graph, Set<Value> wantedValues, Map<Value, Value> gradients) implements Gradients {
        Tape(Graph graph, Set<Value> wantedValues) {
            this(graph, wantedValues, new HashMap<>());
        }

        @Override
        public Value of(Value value) {
            return gradients.get(value);
        }

        @Override
        public boolean wanted(Value value) {
            return wantedValues.contains(value);
        }

        @Override
        public Value take(Value value) {
            return gradients.remove(value);
        }

        @Override
        public void add(Value value, Value contribution) {
            if (wanted(value)) {
                Value known = gradients.get(value);
                gradients.put(value, known == null ? contribution : sum(known, contribution));
            }
        }

        /** A parameter that was cast to BF16 may get gradients of both dtypes: they are summed in F32. */
        private Value sum(Value a, Value b) {
            if (a.type().dtype() == b.type().dtype()) {
                return new Add().apply(graph, a, b);
            }
            Cast toFloat32 = new Cast(DType.F32);
            return new Add().apply(graph, toFloat32.apply(graph, a), toFloat32.apply(graph, b));
        }
    }
}
