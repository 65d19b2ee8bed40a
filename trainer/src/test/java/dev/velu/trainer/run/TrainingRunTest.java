package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.trainer.profile.ProfileReport;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingRunTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final RunConfiguration SMALL = RunConfiguration.defaults()
            .with(Map.of(
                    "epochs",
                    2,
                    "limit_train",
                    48,
                    "limit_eval",
                    20,
                    "batch_size",
                    16,
                    "size",
                    16,
                    "threads",
                    2,
                    "seed",
                    5));

    @TempDir
    Path folder;

    /** Standard error that fails at a line, as if the process had died there. */
    private static ProgressDisplay diesAt(String lineStart) {
        return new ProgressDisplay(
                new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8) {
                    @Override
                    public void println(String line) {
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

    private static List<JsonNode> metricsWithoutTimes(Path output) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(output.resolve("metrics.jsonl"))) {
            ObjectNode row = (ObjectNode) JSON.readTree(line);
            row.remove(List.of("seconds", "images_per_second", "decode_wait_seconds"));
            rows.add(row);
        }
        return rows;
    }

    @Test
    void theSameRunTwiceGivesTheSameMetricsAndTheSameBytes() throws Exception {
        train(SMALL, folder.resolve("a"), false, null);
        train(SMALL, folder.resolve("b"), false, null);
        assertThat(metricsWithoutTimes(folder.resolve("a")))
                .hasSize(2)
                .isEqualTo(metricsWithoutTimes(folder.resolve("b")));
        for (String file : List.of(TrainingRun.LAST, TrainingRun.BEST)) {
            assertThat(folder.resolve("a").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("b").resolve(file));
        }
    }

    /** Trains with a profile of some steps; the reports as they came. */
    private static List<ProfileReport> profile(RunConfiguration configuration, Path output, int steps)
            throws IOException, InterruptedException {
        List<ProfileReport> reports = new ArrayList<>();
        try (TrainingRun run = new TrainingRun(configuration, output, false, diesAt(null))) {
            run.profile(steps, reports::add);
            run.run();
        }
        return reports;
    }

    @Test
    void aProfileDoesNotChangeWhatIsLearned() throws Exception {
        train(SMALL, folder.resolve("plain"), false, null);
        assertThat(profile(SMALL, folder.resolve("profiled"), 2)).hasSize(1);
        assertThat(metricsWithoutTimes(folder.resolve("profiled")))
                .isEqualTo(metricsWithoutTimes(folder.resolve("plain")));
        for (String file : List.of(TrainingRun.LAST, TrainingRun.BEST)) {
            assertThat(folder.resolve("profiled").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("plain").resolve(file));
        }
    }

    @Test
    void theNativeCallsOfEveryStepFitIntoItAndEveryLayerIsListed() throws Exception {
        profile(SMALL.with(Map.of("epochs", 1)), folder, 2);
        JsonNode file = JSON.readTree(folder.resolve(StepProfiler.REPORT).toFile());
        assertThat(file.path("steps")).hasSize(2).allSatisfy(step -> {
            double sum = 0;
            for (JsonNode call : step.path("call_milliseconds")) {
                sum += call.asDouble();
            }
            assertThat(sum)
                    .isEqualTo(step.path("native_milliseconds").asDouble(), within(1e-6))
                    .isLessThan(step.path("milliseconds").asDouble());
        });
        JsonNode profile = file.path("profile");
        Set<String> layers = new TreeSet<>();
        profile.path("calls").forEach(call -> layers.add(call.path("layer").asText()));
        layers.remove("");
        assertThat(layers).hasSizeGreaterThan(20);
        assertThat(profile.path("layers"))
                .extracting(line -> line.path("name").asText())
                .containsAll(layers);
        assertThat(JSON.readTree(folder.resolve(StepProfiler.TRACE).toFile()).path("traceEvents"))
                .anyMatch(event -> event.path("cat").asText().equals("decode")
                        || event.path("cat").asText().equals("operation"));
    }

    @Test
    void aRunOfFewStepsIsProfiledAsAWhole() throws Exception {
        List<ProfileReport> reports = profile(SMALL, folder, 100);
        assertThat(reports).extracting(ProfileReport::steps).containsExactly(6);
    }

    @Test
    void theFirstStepsArePassedOverWhereOthersAreLeft() throws Exception {
        profile(SMALL, folder, 2);
        JsonNode steps =
                JSON.readTree(folder.resolve(StepProfiler.REPORT).toFile()).path("steps");
        assertThat(steps).extracting(step -> step.path("step").asInt()).containsExactly(5, 6);
    }

    @Test
    void theProfileOfAnOldRunMovesAsideWithIt() throws Exception {
        RunConfiguration one = SMALL.with(Map.of("epochs", 1));
        profile(one, folder, 1);
        train(one, folder, false, null);
        assertThat(folder.resolve(StepProfiler.REPORT)).doesNotExist();
        assertThat(folder.resolve("previous-1").resolve(StepProfiler.REPORT)).exists();
        assertThat(folder.resolve("previous-1").resolve(StepProfiler.TRACE)).exists();
    }

    @ParameterizedTest
    @ValueSource(strings = {"fp32", "bf16"})
    void aRunThatDiedAfterAnEpochEndsLikeOneThatDidNot(String precision) throws Exception {
        assumeTrue(
                precision.equals("fp32") || DeviceInfo.query(Device.cpu()).bfloat16(),
                "the processor has no AVX512_BF16");
        RunConfiguration small = SMALL.with(Map.of("precision", precision, "device", "cpu"));
        train(small, folder.resolve("whole"), false, null);
        Path broken = folder.resolve("broken");
        assertThatThrownBy(() -> train(small, broken, false, "epoch 1/2: train"))
                .hasMessage("killed");
        assertThat(metricsWithoutTimes(broken)).hasSize(1);
        train(small, broken, true, null);
        assertThat(metricsWithoutTimes(broken)).isEqualTo(metricsWithoutTimes(folder.resolve("whole")));
        assertThat(broken.resolve(TrainingRun.LAST))
                .hasSameBinaryContentAs(folder.resolve("whole").resolve(TrainingRun.LAST));
    }

    @Test
    void aNewRunInTheSameFolderKeepsTheOldOne() throws Exception {
        RunConfiguration one = SMALL.with(Map.of("epochs", 1));
        train(one, folder, false, null);
        byte[] first = Files.readAllBytes(folder.resolve(TrainingRun.LAST));
        train(one.with(Map.of("seed", 6)), folder, false, null);
        assertThat(folder.resolve("previous-1").resolve(TrainingRun.LAST)).hasBinaryContent(first);
        assertThat(metricsWithoutTimes(folder)).hasSize(1);
        assertThat(Files.readAllBytes(folder.resolve(TrainingRun.LAST))).isNotEqualTo(first);
    }

    @Test
    void unfinishedFilesOfDeadProcessesAreRemoved() throws Exception {
        Path dead = Files.writeString(folder.resolve(TrainingRun.LAST + ".999999999-1.part"), "half");
        Path alive = Files.writeString(
                folder.resolve(TrainingRun.LAST + "." + ProcessHandle.current().pid() + "-77.part"), "half");
        train(SMALL.with(Map.of("epochs", 1)), folder, false, null);
        assertThat(dead).doesNotExist();
        assertThat(alive).exists();
    }

    @Test
    void resumingWithoutACheckpointStartsFromTheBeginning() throws Exception {
        RunConfiguration one = SMALL.with(Map.of("epochs", 1));
        train(one, folder.resolve("fresh"), true, null);
        assertThat(metricsWithoutTimes(folder.resolve("fresh"))).hasSize(1);
    }

    @Test
    void resumingWithOtherSettingsNamesThem() throws Exception {
        RunConfiguration one = SMALL.with(Map.of("epochs", 1));
        train(one, folder, false, null);
        assertThatThrownBy(() -> train(one.with(Map.of("seed", 6, "activation", "relu")), folder, true, null))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("seed: 6 != 5")
                .hasMessageContaining("activation: relu != velu");
    }

    @Test
    void aLossThatIsNoNumberStopsTheRunAndNamesTheStep() {
        RunConfiguration wild = SMALL.with(Map.of("learning_rate", 1e30, "optimizer", "sgd", "schedule", "constant"));
        assertThatThrownBy(() -> train(wild, folder, false, null))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("at step ")
                .hasMessageContaining("no checkpoint was written yet");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aRunThatFailsBeforeItHasAResultLeavesNoFolder() {
        Path output = folder.resolve("run");
        assertThatThrownBy(() -> train(SMALL, output, false, "training ")).hasMessage("killed");
        assertThat(output).doesNotExist();
    }

    @Test
    void anOutputFolderThatCannotBeWrittenIsNamedBeforeTraining() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "in the way");
        assertThatThrownBy(() -> train(SMALL, file.resolve("run"), false, null))
                .isInstanceOf(RunException.class)
                .hasMessageContaining(file.resolve("run").toString());
    }

    @Test
    void checkpointOfTheBestEpochPredictsAndEvaluates() throws Exception {
        RunConfiguration one = SMALL.with(Map.of("epochs", 1));
        train(one, folder, false, null);
        try (TrainedNetwork network = new TrainedNetwork(folder.resolve(TrainingRun.BEST), Device.cpu(), 2, 16)) {
            Evaluation evaluation = network.evaluate(one, diesAt(null));
            JsonNode row = metricsWithoutTimes(folder).getFirst();
            assertThat(evaluation.top1()).isEqualTo(row.get("eval_top1").asDouble());
            assertThat(evaluation.loss()).isEqualTo(row.get("eval_loss").asDouble());
            assertThat(network.classNames()).hasSize(10);
        }
    }

    @Test
    void everyEpochIsEvaluatedWithItsOwnParameters() throws Exception {
        RunConfiguration two = SMALL.with(Map.of("epochs", 2));
        train(two, folder, false, null);
        try (TrainedNetwork network = new TrainedNetwork(folder.resolve(TrainingRun.LAST), Device.cpu(), 2, 16)) {
            assertThat(network.evaluate(two, diesAt(null)).loss())
                    .isEqualTo(metricsWithoutTimes(folder)
                            .getLast()
                            .get("eval_loss")
                            .asDouble());
        }
    }
}
