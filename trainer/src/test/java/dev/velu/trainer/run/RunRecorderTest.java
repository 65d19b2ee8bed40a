package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.trainer.report.EvaluationRecord;
import dev.velu.trainer.report.RunEnvironment;
import dev.velu.trainer.report.RunReport;
import dev.velu.trainer.tensorboard.TensorFlowReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jsoup.Jsoup;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run that was killed after its first epoch, and then resumed, leaves for people to look at. */
class RunRecorderTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final RunConfiguration SMALL = RunConfiguration.defaults()
            .with(Map.of(
                    "model", "mobilenet_v2",
                    "epochs", 2,
                    "limit_train", 80,
                    "limit_eval", 20,
                    "batch_size", 8,
                    "size", 16,
                    "threads", 2));

    @TempDir
    static Path folder;

    private static final List<String> LINES = new ArrayList<>();

    private static ProgressDisplay diesAt(String lineStart) {
        return new ProgressDisplay(
                new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8) {
                    @Override
                    public void println(String line) {
                        LINES.add(line);
                        if (lineStart != null && line.startsWith(lineStart)) {
                            throw new IllegalStateException("killed");
                        }
                    }
                },
                false);
    }

    private static void train(RunConfiguration configuration, Path output, boolean resume, String dieAt)
            throws IOException, InterruptedException {
        try (TrainingRun run = new TrainingRun(configuration, output, resume, diesAt(dieAt))) {
            run.run();
        }
    }

    @BeforeAll
    static void trainInTwoProcesses() throws Exception {
        assertThatThrownBy(() -> train(SMALL, folder, false, "epoch 1/2:")).hasMessage("killed");
        train(SMALL, folder, true, null);
    }

    private static List<Path> eventFiles(Path output) throws IOException {
        try (Stream<Path> files = Files.list(output)) {
            return files.filter(file -> file.getFileName().toString().startsWith("events.out.tfevents."))
                    .sorted()
                    .toList();
        }
    }

    private static List<JsonNode> metrics() throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("metrics.jsonl"))) {
            rows.add(JSON.readTree(line));
        }
        return rows;
    }

    @Test
    void nothingHadToBeWarnedOf() {
        assertThat(LINES).noneMatch(line -> line.startsWith("warning"));
    }

    @Test
    void theReportHasEveryEpoch() throws Exception {
        String data = Jsoup.parse(Files.readString(folder.resolve(RunReport.FILE)))
                .getElementById("data")
                .data();
        assertThat(JSON.readTree(data).path("metrics")).hasSize(2);
        assertThat(JSON.readTree(data).at("/environment/outcome").asText()).isEqualTo("completed");
    }

    @Test
    void theEvaluationCountsTheImagesOfTheBestEpochAsTheMetricsDo() throws Exception {
        EvaluationRecord evaluation = EvaluationRecord.read(folder);
        JsonNode best = metrics().get(evaluation.epoch() - 1);
        int right = evaluation.confusion().stream()
                .filter(cell -> cell[0] == cell[1])
                .mapToInt(cell -> cell[2])
                .sum();
        assertThat(evaluation.images()).isEqualTo(20);
        assertThat(right / 20.0).isEqualTo(best.path("eval_top1").asDouble(), within(1e-9));
        assertThat(metrics()).allMatch(row -> row.path("eval_top1").asDouble() <= right / 20.0);
        assertThat(evaluation.samples()).isNotEmpty().allMatch(sample -> sample.image() != null);
    }

    @Test
    void theEnvironmentHasASessionForEachProcess() throws Exception {
        RunEnvironment environment = RunEnvironment.read(folder);
        assertThat(environment.sessions())
                .extracting(RunEnvironment.Session::firstEpoch)
                .containsExactly(1, 2);
        assertThat(environment.plannedMemoryBytes()).isPositive();
        assertThat(environment.outcome()).isEqualTo("completed");
    }

    @Test
    void aResumedRunAddsAnEventFileThatGoesOnAfterTheLastStep() throws Exception {
        List<Path> files = eventFiles(folder);
        assertThat(files).hasSize(2);
        String first = String.join("", TensorFlowReader.events(files.get(0)));
        String second = String.join("", TensorFlowReader.events(files.get(1)));
        assertThat(first).contains("\"train/loss\"", "\"eval/top1\"", "\"step/loss\"", "step: 10", "\"configuration\"");
        assertThat(second).contains("step: 11\nsession_log", "step: 20").doesNotContain("step: 10\n");
    }

    @Test
    void aNewRunMovesWhatThereWasAside(@TempDir Path output) throws Exception {
        Files.writeString(output.resolve(RunReport.FILE), "old");
        Files.writeString(output.resolve("events.out.tfevents.1.velu.1"), "old");
        train(SMALL.with(Map.of("epochs", 1, "limit_train", 8)), output, false, null);
        assertThat(output.resolve("previous-1").resolve(RunReport.FILE)).hasContent("old");
        assertThat(output.resolve("previous-1").resolve("events.out.tfevents.1.velu.1"))
                .exists();
        assertThat(eventFiles(output)).hasSize(1);
    }

    @Test
    void aRunThatFailsBeforeItsFirstEpochLeavesNoFiles(@TempDir Path output) {
        Path fresh = output.resolve("run");
        assertThatThrownBy(() -> train(SMALL.with(Map.of("learning_rate", 1e30f)), fresh, false, null))
                .isInstanceOf(RunException.class);
        assertThat(fresh).doesNotExist();
    }

    @Test
    void aReportThatCannotBeWrittenDoesNotEndTheRun(@TempDir Path output) throws Exception {
        // In the way of a file that is replaced: a folder that is not empty.
        Files.createDirectories(output.resolve(EvaluationRecord.FILE).resolve("x"));
        RunConfiguration one = SMALL.with(Map.of("epochs", 1, "limit_train", 8));
        Files.writeString(output.resolve("config.json"), one.toJson());
        train(one, output, true, null);
        assertThat(LINES).anyMatch(line -> line.startsWith("warning: cannot write the report"));
        assertThat(output.resolve(TrainingRun.LAST)).exists();
        LINES.removeIf(line -> line.startsWith("warning"));
    }
}
