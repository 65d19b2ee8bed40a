package dev.velu.graph;

import dev.velu.device.Context;
import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Prepares a graph that is only to be run forward: what depends on parameters alone is computed by {@link Plan#refresh}, not by
 * every run. Operations say by {@link Operation#pack} what that is, e.g. a convolution's weight in the layout its implementation
 * wants, with the batch norm that follows taken in; a conversion of a parameter is it by itself.
 *
 * <p>It runs on the recorded graph, before {@link Fusion}. The graph then has no gradient and no form in ONNX.
 */
public final class Packing {
    private final Graph graph;
    private final Context context;
    private final List<Node> nodes = new ArrayList<>();
    private Node packed;

    private Packing(Graph graph, Context context) {
        this.graph = graph;
        this.context = context;
    }

    /**
     * Rewrites the graph in place.
     *
     * @param context where it is to run, whose implementations decide how things are laid out
     */
    public static void pack(Graph graph, Context context) {
        Packing packing = new Packing(graph, context);
        packing.packOperations();
        packing.nodes.forEach(Packing::keep);
        graph.replaceNodes(withoutUnread(packing.nodes));
    }

    /** The context on which the graph will run. */
    public Context context() {
        return context;
    }

    /**
     * Adds an operation on parameters, or on results of such operations, that {@link Plan#refresh} runs. Absent inputs are null.
     *
     * @return its outputs, kept between runs
     */
    public List<Value> prepare(Operation operation, Value... inputs) {
        List<Value> arguments = Arrays.asList(inputs);
        List<Value> outputs = new ArrayList<>();
        for (TensorType type : operation.infer(Node.types(arguments))) {
            outputs.add(type == null ? null : graph.constant(type));
        }
        nodes.add(new Node(operation, arguments, outputs, packed.scope()));
        return Collections.unmodifiableList(outputs);
    }

    private void packOperations() {
        Map<Value, List<Node>> readers = Fusion.consumers(graph.nodes());
        Map<Node, Node> takenIn = new HashMap<>();
        for (Node node : graph.nodes()) {
            if (takenIn.containsKey(node)) {
                nodes.add(takenIn.get(node));
                continue;
            }
            packed = node;
            Node next = onlyReader(node.output(0), readers);
            Operation.Fused form = node.operation().pack(node, next, this);
            if (form == null) {
                nodes.add(node);
                continue;
            }
            Node replacement = new Node(form.operation(), form.inputs(), form.outputs(), node.scope(), node.phase());
            if (form.outputs().getFirst() == node.output(0)) {
                nodes.add(replacement);
            } else {
                takenIn.put(next, replacement);
            }
        }
    }

    private static Node onlyReader(Value value, Map<Value, List<Node>> readers) {
        if (value == null || value.storage() != Value.Storage.TEMPORARY) {
            return null;
        }
        List<Node> all = readers.getOrDefault(value, List.of());
        return all.size() == 1 ? all.getFirst() : null;
    }

    /** Keeps the outputs of an operation on parameters between runs. */
    private static void keep(Node node) {
        boolean prepared = node.inputs().stream().allMatch(value -> value == null || isKnownBeforeARun(value))
                && node.outputs().stream()
                        .allMatch(value -> value == null || value.storage() == Value.Storage.TEMPORARY);
        if (prepared && !node.inputs().isEmpty()) {
            for (Value output : node.outputs()) {
                if (output != null) {
                    output.store(Value.Storage.CONSTANT, null, null);
                }
            }
        }
    }

    private static boolean isKnownBeforeARun(Value value) {
        return value.storage() == Value.Storage.PARAMETER || value.storage() == Value.Storage.CONSTANT;
    }

    /** Without operations whose results were kept for what is packed now. */
    private static List<Node> withoutUnread(List<Node> nodes) {
        Set<Value> read = new HashSet<>();
        List<Node> needed = new ArrayList<>();
        for (Node node : nodes.reversed()) {
            if (!node.isPreparation() || node.outputs().stream().anyMatch(read::contains)) {
                needed.addFirst(node);
                read.addAll(node.inputs());
            }
        }
        return needed;
    }
}
