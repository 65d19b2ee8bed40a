package dev.velu.trainer.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.op.VeluParameters;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code report.html} of a run, made from the files in its folder: {@code config.json} and {@code metrics.jsonl}, and, where they
 * are there, {@code environment.json}, {@code evaluation.json} and {@code activations.jsonl}.
 */
public final class RunReport {
    /** The page's name in the folder of a run or of a comparison. */
    public static final String FILE = "report.html";

    private static final String CONFIG = "config.json";
    private static final String METRICS = "metrics.jsonl";

    private RunReport() {}

    /** Whether there is a run in a folder. */
    public static boolean isRun(Path folder) {
        return Files.isRegularFile(folder.resolve(CONFIG)) && Files.isRegularFile(folder.resolve(METRICS));
    }

    /** Writes the page into the folder of the run. */
    public static void write(Path folder) throws IOException {
        write(folder, folder.resolve(FILE));
    }

    /**
     * Writes the page of the run in a folder, whole or not at all.
     *
     * @throws RunException if there is no run in the folder, or one of its files is damaged; names it
     * @throws IOException if a file cannot be read or written
     */
    public static void write(Path folder, Path output) throws IOException {
        if (!isRun(folder)) {
            throw new RunException("there is no run in " + folder + ": it lacks " + CONFIG + " or " + METRICS
                    + "; give the --output folder of a velu train");
        }
        JsonNode configuration = json(folder.resolve(CONFIG));
        ObjectNode data = ReportJson.MAPPER.createObjectNode();
        data.put("name", name(folder));
        data.set("configuration", configuration);
        data.set("metrics", lines(folder.resolve(METRICS)));
        data.set("environment", optional(folder.resolve(RunEnvironment.FILE)));
        data.set("evaluation", optional(folder.resolve(EvaluationRecord.FILE)));
        data.set("activations", ReportJson.MAPPER.valueToTree(new ActivityFile(folder).read()));
        data.set("curve", ReportJson.MAPPER.valueToTree(curve(configuration, folder)));
        String title = String.join(
                ", ",
                List.of(
                        configuration.path("model").asText("run"),
                        configuration.path("activation").asText(""),
                        configuration.path("data").asText("")));
        HtmlPage.write(output, "run.html", "run.js", title, data);
    }

    private static String name(Path folder) {
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return name == null ? folder.toString() : name.toString();
    }

    /** The run's function; null where its name does not say it. */
    private static ActivationCurve curve(JsonNode configuration, Path folder) {
        if (!configuration.path("activation").asText().equals("velu")) {
            return ActivationCurve.named(configuration.path("activation").asText());
        }
        try {
            RunConfiguration known = RunConfiguration.fromJson(
                    configuration.toString(), folder.resolve(CONFIG).toString());
            return known.activationFunction() instanceof VeluParameters velu ? ActivationCurve.velu(velu) : null;
        } catch (IllegalArgumentException e) {
            throw new RunException(e.getMessage(), e);
        }
    }

    static JsonNode optional(Path file) throws IOException {
        return Files.exists(file) ? json(file) : ReportJson.MAPPER.nullNode();
    }

    private static JsonNode json(Path file) throws IOException {
        try {
            return ReportJson.MAPPER.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new RunException(file + " is not JSON: " + e.getOriginalMessage(), e);
        }
    }

    private static ArrayNode lines(Path file) throws IOException {
        ArrayNode rows = ReportJson.MAPPER.createArrayNode();
        for (String line : new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .toList()) {
            try {
                rows.add(ReportJson.MAPPER.readTree(line));
            } catch (JsonProcessingException e) {
                throw new RunException(
                        file + " is damaged in line " + (rows.size() + 1) + ": " + e.getOriginalMessage(), e);
            }
        }
        return rows;
    }
}
