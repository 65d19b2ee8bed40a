package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.device.Device;
import dev.velu.safetensors.SafeTensorsFile;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What recipes turn on, in a whole run. */
class RecipeRunTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Three steps in an epoch, so that updates of two steps go across the end of an epoch. */
    private static final RunConfiguration SMALL = RunConfiguration.defaults()
            .with(Map.of(
                    "model", "mobilenet_v2",
                    "epochs", 1,
                    "limit_train", 24,
                    "limit_eval", 10,
                    "batch_size", 8,
                    "size", 32,
                    "device", "cpu",
                    "threads", 2));

    @TempDir
    Path folder;

    private final List<String> lines = new ArrayList<>();

    /** What was said. Dies, as if the process were killed, at a line that begins so. */
    private ProgressDisplay display(String dieAt) {
        return new ProgressDisplay(
                new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8) {
                    @Override
                    public void println(String line) {
                        lines.add(line);
                        if (dieAt != null && line.startsWith(dieAt)) {
                            throw new IllegalStateException("killed");
                        }
                    }
                },
                false);
    }

    private void train(RunConfiguration configuration, Path output, boolean resume, String dieAt)
            throws IOException, InterruptedException {
        try (TrainingRun run = new TrainingRun(configuration, output, resume, display(dieAt))) {
            run.run();
        }
    }

    private static List<JsonNode> metrics(Path output) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(output.resolve("metrics.jsonl"))) {
            ObjectNode row = (ObjectNode) JSON.readTree(line);
            row.remove(List.of("seconds", "images_per_second", "decode_wait_seconds"));
            rows.add(row);
        }
        return rows;
    }

    private static float[] tensor(Path checkpoint, String name) throws IOException {
        try (SafeTensorsFile file = SafeTensorsFile.open(checkpoint)) {
            return file.segment(name).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        }
    }

    @Test
    void aRunWithEverythingOnThatDiedTwiceEndsLikeOneThatDidNot() throws Exception {
        Map<String, Object> everything = new HashMap<>(Map.of(
                "epochs", 3,
                "freeze", List.of("features.0", "features.1"),
                "unfreeze_epoch", 3,
                "accumulate", 2,
                "backbone_lr_factor", 0.5f,
                "early_stopping", 3,
                "w2", "per_channel"));
        RunConfiguration configuration = Recipe.named("modern")
                .applyTo(SMALL)
                .with(Map.of("batch_size", 8))
                .with(everything);
        Path whole = folder.resolve("whole");
        train(configuration, whole, false, null);
        assertThat(lines).anyMatch(line -> line.contains("parameters train: features.0, features.1 is frozen"));
        assertThat(lines).contains("all parameters train from epoch 3 on");

        Path broken = folder.resolve("broken");
        assertThatThrownBy(() -> train(configuration, broken, false, "epoch 1/3: train"))
                .hasMessage("killed");
        assertThatThrownBy(() -> train(configuration, broken, true, "epoch 2/3: train"))
                .hasMessage("killed");
        train(configuration, broken, true, null);

        assertThat(metrics(broken)).hasSize(3).isEqualTo(metrics(whole));
        for (String file : List.of(TrainingRun.LAST, TrainingRun.BEST)) {
            assertThat(broken.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
        }
    }

    @Test
    void theBestCheckpointHoldsTheAveragedWeightsAndTheLastBoth() throws Exception {
        RunConfiguration averaged = SMALL.with(Map.of("ema", 0.9));
        train(averaged, folder, false, null);
        double evaluated = metrics(folder).getFirst().get("eval_loss").asDouble();

        for (String file : List.of(TrainingRun.BEST, TrainingRun.LAST)) {
            try (TrainedNetwork network = new TrainedNetwork(folder.resolve(file), Device.cpu(), 2, 8)) {
                double loss = network.evaluate(averaged, display(null)).loss();
                assertThat(loss == evaluated).isEqualTo(file.equals(TrainingRun.BEST));
            }
        }
        assertThat(tensor(folder.resolve(TrainingRun.LAST), "optimizer.average"))
                .isNotEmpty();
    }

    @Test
    void aRunThatDoesNotGetBetterStopsEarlyAndStaysSo() throws Exception {
        RunConfiguration idle = SMALL.with(
                Map.of("epochs", 5, "optimizer", "sgd", "learning_rate", 0f, "early_stopping", 1, "limit_train", 8));
        // Nothing but the running statistics moves: with a huge delta no evaluation counts as better.
        train(idle.with(Map.of("early_stopping_delta", 1f)), folder, false, null);
        assertThat(metrics(folder)).hasSize(2);
        assertThat(lines).anyMatch(line -> line.startsWith("stopping early: no evaluation since epoch 1 was better"));

        train(idle.with(Map.of("early_stopping_delta", 1f)), folder, true, null);
        assertThat(metrics(folder)).hasSize(2);
        assertThat(lines.getLast()).contains("has already stopped early, after epoch 2");
    }

    @Test
    void frozenParametersKeepTheirValuesAndTheOthersDoNot() throws Exception {
        RunConfiguration frozen = SMALL.with(Map.of("freeze", List.of("features.0")));
        train(frozen, folder.resolve("small"), false, null);
        train(frozen.with(Map.of("learning_rate", 0.5f)), folder.resolve("large"), false, null);

        Path small = folder.resolve("small").resolve(TrainingRun.LAST);
        Path large = folder.resolve("large").resolve(TrainingRun.LAST);
        assertThat(tensor(small, "features.0.0.weight")).isEqualTo(tensor(large, "features.0.0.weight"));
        assertThat(tensor(small, "features.0.1.running_mean")).isEqualTo(tensor(large, "features.0.1.running_mean"));
        assertThat(tensor(small, "features.1.conv.0.0.weight"))
                .isNotEqualTo(tensor(large, "features.1.conv.0.0.weight"));
    }

    @Test
    void anUpdateOfMoreStepsThanTheRunHasIsRefused() {
        assertThatThrownBy(() -> train(SMALL.with(Map.of("accumulate", 4)), folder.resolve("none"), false, null))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("accumulate 4")
                .hasMessageContaining("3 steps");
        assertThat(folder.resolve("none")).doesNotExist();
    }
}
