package dev.velu.graph;

import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Lays the temporaries of a graph in one arena. A temporary lives from the operation that writes it to the last that reads
 * it; two that live at the same time never overlap. Large ones are placed first, each at the lowest offset that is free during
 * its whole life. An output written over its input (see {@link Operation#inPlace}) shares the input's place.
 *
 * <p>Views (see {@link Operation#view}) share a place too: a reshaped tensor and its source, the parts of a tensor, and tensors
 * that are set beside each other, which are computed right there if their producers and readers take pitched tensors.
 */
final class MemoryPlanner {
    /** Offsets of whole tensors are multiples of this: a cache line, and what vector loads like best. */
    static final long ALIGNMENT = 64;

    /**
     * Where a temporary lies and how far apart its rows are.
     *
     * @param offset bytes from the arena's start
     * @param type the value's type with the pitch it is laid out with
     */
    record Place(long offset, TensorType type) {}

    /**
     * Where each temporary lies.
     *
     * @param bytes size of the arena
     */
    record Layout(Map<Value, Place> places, long bytes) {
        /** The type of any value of the graph as it is laid out; dense for all but pitched temporaries. */
        TensorType type(Value value) {
            Place place = places.get(value);
            return place == null ? value.type() : place.type();
        }

        List<TensorType> types(List<Value> values) {
            List<TensorType> types = new ArrayList<>();
            values.forEach(value -> types.add(value == null ? null : type(value)));
            return types;
        }
    }

    /** Memory that lives as long as any of the values in it. */
    private static final class Block {
        final int first;
        final long bytes;
        int last;
        long offset = -1;

        Block(int first, long bytes) {
            this.first = first;
            this.last = first;
            this.bytes = align(bytes);
        }

        boolean livesWith(Block other) {
            return first <= other.last && other.first <= last;
        }
    }

    /** A value's part of a block. */
    private record Part(Block block, long offset, TensorType type) {}

    /** A value that is computed inside a wider tensor. */
    private record Home(Value whole, long firstChannel) {}

    private final List<Node> nodes;
    private final Map<Value, List<Node>> readers = new HashMap<>();
    private final Map<Value, Integer> lastRead = new HashMap<>();
    private final Map<Value, Home> homes = new HashMap<>();
    private final Map<Value, Block> wholes = new HashMap<>();
    private final Map<Value, Part> parts = new LinkedHashMap<>();

    private MemoryPlanner(List<Node> nodes) {
        this.nodes = nodes;
        for (int i = 0; i < nodes.size(); i++) {
            for (Value input : nodes.get(i).inputs()) {
                if (input != null) {
                    lastRead.put(input, i);
                    readers.computeIfAbsent(input, v -> new ArrayList<>()).add(nodes.get(i));
                }
            }
        }
    }

    static Layout plan(List<Node> nodes) {
        return new MemoryPlanner(nodes).plan();
    }

    private Layout plan() {
        nodes.reversed().forEach(this::findHomes);
        for (int i = 0; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            for (int o = 0; o < node.outputs().size(); o++) {
                Value output = node.output(o);
                if (isTemporary(output)) {
                    Part part = part(node, o, i);
                    part.block.last = Math.max(part.block.last, lastRead.getOrDefault(output, i));
                    parts.put(output, part);
                }
            }
        }
        long bytes = place(parts.values().stream().map(Part::block).distinct().toList());
        Map<Value, Place> places = new HashMap<>();
        parts.forEach((value, part) -> places.put(value, new Place(part.block.offset + part.offset, part.type)));
        return new Layout(places, bytes);
    }

    private static boolean isTemporary(Value value) {
        return value != null && value.storage() == Value.Storage.TEMPORARY;
    }

    /** Lets the inputs of a node that sets tensors beside each other be computed inside its output, where they can. */
    private void findHomes(Node node) {
        if (!is(node, Operation.View.Kind.WHOLE) || !isTemporary(node.output(0))) {
            return;
        }
        Home home = homes.getOrDefault(node.output(0), new Home(node.output(0), 0));
        long channel = home.firstChannel();
        for (Value input : node.inputs()) {
            boolean again = node.inputs().stream().filter(v -> v == input).count() > 1;
            if (!again && isTemporary(input) && !homes.containsKey(input) && canBePitched(input)) {
                homes.put(input, new Home(home.whole(), channel));
            }
            channel += input.type().shape().size(-1);
        }
    }

    private boolean canBePitched(Value value) {
        Node producer = value.producer();
        boolean written = is(producer, Operation.View.Kind.WHOLE)
                || producer.operation().writesPitched(producer.outputs().indexOf(value));
        return written && readPitched(value);
    }

    private boolean readPitched(Value value) {
        for (Node reader : readers.getOrDefault(value, List.of())) {
            for (int i = 0; i < reader.inputs().size(); i++) {
                if (reader.input(i) == value && !reader.operation().readsPitched(i)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean is(Node node, Operation.View.Kind kind) {
        Operation.View view = node.operation().view();
        return view != null && view.kind() == kind;
    }

    /** Finds memory for output o of node i. */
    private Part part(Node node, int o, int i) {
        Value output = node.output(o);
        Home home = homes.get(output);
        if (home != null || is(node, Operation.View.Kind.WHOLE)) {
            return inside(home == null ? new Home(output, 0) : home, output, i);
        }
        Part shared = view(node);
        if (shared == null) {
            shared = inPlace(node, o, i);
        }
        return shared != null ? shared : new Part(new Block(i, output.type().bytes()), 0, output.type());
    }

    private Part inside(Home home, Value value, int i) {
        TensorType whole = home.whole().type();
        Block block = wholes.computeIfAbsent(home.whole(), v -> new Block(i, whole.bytes()));
        return new Part(
                block,
                home.firstChannel() * whole.dtype().bytes(),
                value.type().pitched(whole.shape().size(-1)));
    }

    /** The part of its input that the node's output is, or null if it is none. */
    private Part view(Node node) {
        Operation.View view = node.operation().view();
        Part source = view == null ? null : parts.get(node.input(0));
        if (source == null) {
            return null;
        }
        TensorType type = node.output(0).type();
        return switch (view.kind()) {
            case SAME -> source.type.isDense() ? new Part(source.block, source.offset, type) : null;
            case PART ->
                readPitched(node.output(0))
                        ? new Part(
                                source.block,
                                source.offset
                                        + view.firstChannel() * type.dtype().bytes(),
                                type.pitched(source.type.pitch()))
                        : null;
            case WHOLE -> null;
        };
    }

    /** The part of an input that output o of node i may be written over, or null. */
    private Part inPlace(Node node, int o, int i) {
        for (Operation.Alias alias : node.operation().inPlace()) {
            Value input = alias.output() == o ? node.input(alias.input()) : null;
            Part part = input == null ? null : parts.get(input);
            if (part == null || !(part.type.isDense() || node.operation().writesPitched(o))) {
                continue;
            }
            boolean dies = lastRead.get(input) == i && part.block.last == i;
            boolean readOnce = within(part.block, node.inputs()) == 1;
            boolean taken = within(part.block, node.outputs().subList(0, o)) > 0;
            TensorType type = node.output(o).type();
            if (dies && readOnce && !taken && input.type().bytes() == type.bytes()) {
                return new Part(part.block, part.offset, part.type.isDense() ? type : type.pitched(part.type.pitch()));
            }
        }
        return null;
    }

    private long within(Block block, List<Value> values) {
        return values.stream()
                .filter(v -> v != null && parts.containsKey(v) && parts.get(v).block == block)
                .count();
    }

    private static long place(List<Block> blocks) {
        List<Block> largestFirst = new ArrayList<>(blocks);
        largestFirst.sort(Comparator.comparingLong((Block b) -> -b.bytes).thenComparingInt(b -> b.first));
        List<Block> placed = new ArrayList<>();
        long end = 0;
        for (Block block : largestFirst) {
            long offset = 0;
            for (Block other : placed) { // in order of offset
                if (block.livesWith(other)) {
                    if (offset + block.bytes <= other.offset) {
                        break;
                    }
                    offset = Math.max(offset, other.offset + other.bytes);
                }
            }
            block.offset = offset;
            placed.add(block);
            placed.sort(Comparator.comparingLong(b -> b.offset));
            end = Math.max(end, offset + block.bytes);
        }
        return end;
    }

    static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
