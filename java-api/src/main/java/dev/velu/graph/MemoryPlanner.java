package dev.velu.graph;

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
 */
final class MemoryPlanner {
    /** Offsets are multiples of this: a cache line, and what vector loads like best. */
    static final long ALIGNMENT = 64;

    /**
     * Where each temporary lies.
     *
     * @param bytes size of the arena
     */
    record Layout(Map<Value, Long> offsets, long bytes) {}

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

    private MemoryPlanner() {}

    static Layout plan(List<Node> nodes) {
        Map<Value, Integer> lastRead = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            for (Value input : nodes.get(i).inputs()) {
                if (input != null) {
                    lastRead.put(input, i);
                }
            }
        }
        Map<Value, Block> blocks = new LinkedHashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            for (int o = 0; o < node.outputs().size(); o++) {
                Value output = node.output(o);
                if (output != null && output.storage() == Value.Storage.TEMPORARY) {
                    Block block = inPlace(node, o, i, lastRead, blocks);
                    if (block == null) {
                        block = new Block(i, output.type().bytes());
                    }
                    block.last = Math.max(block.last, lastRead.getOrDefault(output, i));
                    blocks.put(output, block);
                }
            }
        }
        long bytes = place(blocks.values().stream().distinct().toList());
        Map<Value, Long> offsets = new HashMap<>();
        blocks.forEach((value, block) -> offsets.put(value, block.offset));
        return new Layout(offsets, bytes);
    }

    /** The block of an input that output o of node i may be written over, or null. */
    private static Block inPlace(Node node, int o, int i, Map<Value, Integer> lastRead, Map<Value, Block> blocks) {
        for (Operation.Alias alias : node.operation().inPlace()) {
            Value input = node.input(alias.input());
            if (alias.output() != o || input == null) {
                continue;
            }
            Block block = blocks.get(input);
            boolean dies = lastRead.get(input) == i && block != null && block.last == i;
            boolean readOnce = node.inputs().stream().filter(v -> v == input).count() == 1;
            boolean taken = node.outputs().stream().limit(o).anyMatch(v -> v != null && blocks.get(v) == block);
            if (dies
                    && readOnce
                    && !taken
                    && input.type().bytes() == node.output(o).type().bytes()) {
                return block;
            }
        }
        return null;
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
