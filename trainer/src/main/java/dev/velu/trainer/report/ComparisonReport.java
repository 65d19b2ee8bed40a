package dev.velu.trainer.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.trainer.compare.Cell;
import dev.velu.trainer.compare.CellResult;
import dev.velu.trainer.compare.Comparison;
import dev.velu.trainer.compare.Metric;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** {@code report.html} of a comparison: its table, plots, tests and cells, with links to the pages of the cells' runs. */
public final class ComparisonReport {
    private ComparisonReport() {}

    /** Writes the page into the comparison's folder, whole or not at all. */
    public static void write(Comparison comparison) throws IOException {
        write(comparison, comparison.folder().resolve(RunReport.FILE));
    }

    /**
     * Writes the page, whole or not at all. Links to the cells' pages are relative to where it lies.
     *
     * @throws dev.velu.trainer.run.RunException if a file of a cell is damaged; names it
     */
    public static void write(Comparison comparison, Path output) throws IOException {
        ObjectNode data = ReportJson.MAPPER.createObjectNode();
        data.put("name", name(comparison.folder()));
        data.set("summary", ReportJson.MAPPER.valueToTree(comparison.summary()));
        data.set("metric", metric(comparison.summary().metric()));
        data.set("cells", cells(comparison, output));
        data.set("configuration", settings(comparison));
        data.set("environment", environment(comparison));
        HtmlPage.write(output, "comparison.html", "comparison.js", "Comparison " + name(comparison.folder()), data);
    }

    private static String name(Path folder) {
        return String.valueOf(folder.toAbsolutePath().normalize().getFileName());
    }

    private static ObjectNode metric(Metric metric) {
        return ReportJson.MAPPER
                .createObjectNode()
                .put("label", metric.label())
                .put("title", metric.title())
                .put("scale", metric.scale())
                .put("higher_is_better", metric.higherIsBetter());
    }

    private static ArrayNode cells(Comparison comparison, Path output) throws IOException {
        ArrayNode cells = ReportJson.MAPPER.createArrayNode();
        for (Cell cell : comparison.cells()) {
            ObjectNode node = cells.addObject();
            node.put("id", cell.id());
            node.put("model", cell.model());
            node.put("activation", cell.activation());
            node.put("data", cell.data());
            node.put("seed", cell.seed());
            CellResult result = comparison.results().get(cell.id());
            node.set("result", ReportJson.MAPPER.valueToTree(result));
            node.set("history", ReportJson.MAPPER.valueToTree(comparison.history(cell)));
            node.put("link", link(comparison.cellFolder(cell).resolve(RunReport.FILE), output));
        }
        return cells;
    }

    /** A relative address, or null if there is no page. */
    private static String link(Path page, Path from) {
        if (!Files.exists(page)) {
            return null;
        }
        Path folder = from.toAbsolutePath().normalize().getParent();
        Path relative = folder.relativize(page.toAbsolutePath().normalize());
        StringBuilder address = new StringBuilder();
        for (Path part : relative) {
            address.append(address.isEmpty() ? "" : "/").append(encoded(part.toString()));
        }
        return address.toString();
    }

    /** A part of a path as a part of an address: what is not a letter, a digit or one of {@code -._~} as %XX. */
    private static String encoded(String part) {
        StringBuilder encoded = new StringBuilder();
        for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain = c < 128 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
            encoded.append(plain ? String.valueOf(c) : String.format("%%%02X", (int) c));
        }
        return encoded.toString();
    }

    /** Settings that all cells have in common; of the others all values. */
    private static ObjectNode settings(Comparison comparison) {
        Map<String, Set<JsonNode>> values = new LinkedHashMap<>();
        for (Cell cell : comparison.cells()) {
            ReportJson.MAPPER
                    .valueToTree(cell.configuration())
                    .properties()
                    .forEach(setting -> values.computeIfAbsent(setting.getKey(), name -> new LinkedHashSet<>())
                            .add(setting.getValue()));
        }
        ObjectNode settings = ReportJson.MAPPER.createObjectNode();
        values.forEach((name, all) -> {
            if (all.size() == 1) {
                settings.set(name, all.iterator().next());
            } else {
                settings.set(name, ReportJson.MAPPER.valueToTree(all));
            }
        });
        return settings;
    }

    /** Of the last cell that has one. */
    private static JsonNode environment(Comparison comparison) throws IOException {
        JsonNode found = ReportJson.MAPPER.nullNode();
        for (Cell cell : comparison.cells()) {
            JsonNode own = RunReport.optional(comparison.cellFolder(cell).resolve(RunEnvironment.FILE));
            found = own.isNull() ? found : own;
        }
        return found;
    }
}
