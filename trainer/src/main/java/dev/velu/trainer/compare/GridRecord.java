package dev.velu.trainer.compare;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code compare.json}: which cells a folder is for, with their configurations, and how they are judged.
 *
 * @param judgement may change from one run of the comparison to the next
 */
record GridRecord(List<Cell> cells, Judgement judgement) {
    static final String NAME = "compare.json";

    static boolean isIn(Path comparison) {
        return Files.isRegularFile(comparison.resolve(NAME));
    }

    /** @throws RunException if it is not what {@link #write} wrote */
    static GridRecord read(Path comparison) throws IOException {
        Path file = comparison.resolve(NAME);
        try {
            JsonNode tree = ComparisonJson.MAPPER.readTree(Files.readAllBytes(file));
            List<Cell> cells = new ArrayList<>();
            for (JsonNode configuration : tree.path("cells")) {
                cells.add(Cell.of(RunConfiguration.fromJson(configuration.toString(), "cell " + cells.size())));
            }
            return new GridRecord(
                    cells,
                    new Judgement(
                            Metric.named(tree.path("metric").asText()),
                            EpochChoice.named(tree.path("epoch").asText()),
                            tree.path("baseline").asText()));
        } catch (JsonProcessingException e) {
            throw damaged(file, e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw damaged(file, e.getMessage(), e);
        }
    }

    private static RunException damaged(Path file, String what, Exception cause) {
        return new RunException(file + " is damaged: " + what + "; compare in another --output", cause);
    }

    void write(Path comparison) throws IOException {
        ObjectNode tree = ComparisonJson.MAPPER.createObjectNode();
        tree.put("metric", judgement.metric().label());
        tree.put("epoch", judgement.epoch().label());
        tree.put("baseline", judgement.baseline());
        ArrayNode configurations = tree.putArray("cells");
        for (Cell cell : cells) {
            configurations.add(
                    ComparisonJson.MAPPER.readTree(cell.configuration().toJson()));
        }
        WholeFile.write(
                comparison.resolve(NAME),
                ComparisonJson.MAPPER.writer(SerializationFeature.INDENT_OUTPUT).writeValueAsString(tree) + "\n");
    }

    /**
     * Makes sure that this grid has all the cells of the one that the folder is for, configured as they were; it may have more.
     *
     * @throws RunException if not; names the differences
     */
    void requireGrownFrom(GridRecord earlier, Path comparison) {
        Map<String, Cell> ours = new LinkedHashMap<>();
        cells.forEach(cell -> ours.put(cell.id(), cell));
        List<String> missing = new ArrayList<>();
        for (Cell before : earlier.cells()) {
            Cell now = ours.get(before.id());
            if (now == null) {
                missing.add(before.id());
                continue;
            }
            List<String> differences = now.configuration().differences(before.configuration());
            if (!differences.isEmpty()) {
                throw new RunException("cannot go on in " + comparison + " with other settings: cell " + now.id()
                        + " now differs from what it was begun with: " + String.join("; ", differences)
                        + "; drop these flags or compare in another --output");
            }
        }
        if (!missing.isEmpty()) {
            throw new RunException("cannot go on in " + comparison + " with fewer cells: it also has "
                    + missing.getFirst() + (missing.size() > 1 ? " and " + (missing.size() - 1) + " others" : "")
                    + "; name all of them, give --resume instead of the grid, or compare in another --output");
        }
    }
}
