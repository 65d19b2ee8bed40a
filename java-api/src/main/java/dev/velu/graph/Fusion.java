package dev.velu.graph;

import dev.velu.nn.Parameter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Joins operations that one kernel can do in one pass over memory: an operation absorbs the only consumer of its first output
 * as long as {@link Operation#fuse} agrees, e.g. batch norm, then the residual sum, then the activation.
 *
 * <p>It runs on the forward graph, before {@link Autodiff}: the joined operation brings its own joined gradient.
 */
public final class Fusion {
    private Fusion() {}

    /**
     * Rewrites the graph in place until nothing more joins.
     *
     * @param differentiated whether the graph is to be differentiated: what has no gradient when joined stays apart
     */
    public static void fuse(Graph graph, boolean differentiated) {
        fuse(graph, parameter -> differentiated && parameter.trainable());
    }

    /**
     * Rewrites the graph in place until nothing more joins.
     *
     * @param trained the parameters that the graph is to be differentiated by: what has no gradient when joined stays apart where
     *     one is needed
     */
    public static void fuse(Graph graph, Predicate<Parameter> trained) {
        Set<Value> wanted = Autodiff.wanted(graph.nodes(), trained);
        List<Node> nodes = new ArrayList<>(graph.nodes());
        boolean changed = true;
        while (changed) {
            changed = false;
            Map<Value, List<Node>> consumers = consumers(nodes);
            for (Node node : nodes) {
                Value output = node.outputs().getFirst();
                if (output == null || output.storage() != Value.Storage.TEMPORARY) {
                    continue;
                }
                List<Node> readers = consumers.getOrDefault(output, List.of());
                if (readers.isEmpty()) {
                    continue;
                }
                Node next = readers.getFirst();
                Operation.Fused fused = readers.size() == 1
                        ? node.operation().fuse(node, next, isDifferentiated(next, wanted))
                        : node.operation().fuseKeeping(node, next);
                if (fused != null) {
                    nodes.set(
                            nodes.indexOf(next),
                            new Node(fused.operation(), fused.inputs(), fused.outputs(), node.scope(), node.phase()));
                    nodes.remove(node);
                    changed = true;
                    break;
                }
            }
        }
        graph.replaceNodes(nodes);
    }

    /** Whether an output of a node depends on what is trained. */
    private static boolean isDifferentiated(Node node, Set<Value> wanted) {
        return node.outputs().stream().anyMatch(wanted::contains);
    }

    /** The nodes that read each value, once for every time they read it. */
    static Map<Value, List<Node>> consumers(List<Node> nodes) {
        Map<Value, List<Node>> consumers = new HashMap<>();
        for (Node node : nodes) {
            for (Value input : node.inputs()) {
                if (input != null) {
                    consumers.computeIfAbsent(input, v -> new ArrayList<>()).add(node);
                }
            }
        }
        return consumers;
    }
}
