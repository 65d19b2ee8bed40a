package dev.velu.trainer.cli;

import dev.velu.trainer.cli.SummaryCommand.LayerLine;
import dev.velu.trainer.cli.SummaryCommand.StageLine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The layer table as a tree: modules in execution order, each below the modules that contain it. */
final class LayerTree {
    private final Map<String, long[]> stages;
    private final int depth;
    private final List<Row> rows = new ArrayList<>();

    /**
     * A module, or one that contains others and has their sums.
     *
     * @param level 0 for the outermost
     * @param name the module's path, without that of the row it is below
     * @param type kind of module; of a containing one, whose modules are not listed, how many it has; else empty
     */
    record Row(int level, String name, String type, long[] output, long params, long macs) {}

    private LayerTree(List<StageLine> stages, int depth) {
        this.stages = stages.stream().collect(Collectors.toMap(StageLine::name, StageLine::output));
        this.depth = depth;
    }

    /**
     * The rows from top to bottom.
     *
     * @param stages outputs of containing modules, where they are not those of the last module
     * @param depth levels to list, positive
     */
    static List<Row> rows(List<LayerLine> layers, List<StageLine> stages, int depth) {
        LayerTree tree = new LayerTree(stages, depth);
        tree.add(layers, "", 0);
        return tree.rows;
    }

    /** Layers whose paths begin with the same prefix. */
    private void add(List<LayerLine> layers, String prefix, int level) {
        int first = 0;
        while (first < layers.size()) {
            String path = outermost(layers.get(first).name(), prefix);
            int end = first;
            while (end < layers.size() && isWithin(layers.get(end).name(), path)) {
                end++;
            }
            if (end - first > 1) {
                addGroup(layers.subList(first, end), path, prefix, level);
                first = end;
            } else {
                LayerLine layer = layers.get(first);
                String name = layer.name().substring(prefix.length());
                rows.add(new Row(level, name, layer.type(), layer.output(), layer.params(), layer.macs()));
                first++;
            }
        }
    }

    /** A path that only contains another one is no row of its own. */
    private void addGroup(List<LayerLine> group, String outermost, String prefix, int level) {
        String path = outermost;
        String inner = outermost(group.getFirst().name(), path + ".");
        while (allWithin(group, inner)) {
            path = inner;
            inner = outermost(group.getFirst().name(), path + ".");
        }
        boolean listed = level + 1 < depth;
        rows.add(new Row(
                level,
                path.substring(prefix.length()),
                listed ? "" : group.size() + " modules",
                stages.getOrDefault(path, group.getLast().output()),
                group.stream().mapToLong(LayerLine::params).sum(),
                group.stream().mapToLong(LayerLine::macs).sum()));
        if (listed) {
            add(group, path + ".", level + 1);
        }
    }

    /** The path up to the first dot behind the prefix. */
    private static String outermost(String name, String prefix) {
        int dot = name.indexOf('.', prefix.length());
        return dot < 0 ? name : name.substring(0, dot);
    }

    private static boolean allWithin(List<LayerLine> layers, String path) {
        return layers.stream().allMatch(layer -> isWithin(layer.name(), path));
    }

    private static boolean isWithin(String name, String path) {
        return name.startsWith(path + ".");
    }
}
