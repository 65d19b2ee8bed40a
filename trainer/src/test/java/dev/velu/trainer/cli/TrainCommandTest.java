package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.device.BackendInfo;
import dev.velu.device.Device;
import dev.velu.trainer.run.TrainingRun;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From training to prediction on the command line, with a run of two steps on tiny images. */
class TrainCommandTest {
    private static final List<String> TINY =
            List.of("--epochs", "1", "--limit-train", "32", "--limit-eval", "16", "--batch-size", "16", "--size", "16");

    @TempDir
    static Path folder;

    private static Path output;
    private static CommandRun trained;

    @BeforeAll
    static void train() {
        output = folder.resolve("run");
        trained = train("--output", output.toString());
    }

    private static CommandRun train(String... options) {
        List<String> args = new ArrayList<>(List.of("train"));
        args.addAll(TINY);
        args.addAll(List.of(options));
        return CommandRun.of(args.toArray(String[]::new));
    }

    private static String best() {
        return output.resolve(TrainingRun.BEST).toString();
    }

    @Test
    void saysWhereTheResultsLieAndWhatTheyAre() {
        assertThat(trained.status()).isZero();
        assertThat(trained.out()).contains("best eval top-1", "results in " + output, TrainingRun.BEST, "velu predict");
        assertThat(output.resolve("metrics.jsonl")).exists();
        assertThat(output.resolve("config.json")).exists();
    }

    @Test
    void resumesWithTheSettingsOfTheRun() {
        CommandRun resumed = CommandRun.of("train", "--resume", "--output", output.toString());

        assertThat(resumed.status()).isZero();
        assertThat(resumed.out()).contains("results in " + output);
    }

    @Test
    void refusesToResumeWithOtherSettings() {
        CommandRun resumed = CommandRun.of("train", "--resume", "--output", output.toString(), "--batch-size", "8");

        assertThat(resumed.status()).isEqualTo(1);
        assertThat(resumed.err())
                .startsWith("velu: cannot resume ")
                .contains("batch_size")
                .hasLineCount(1);
    }

    @Test
    void refusesToResumeFromADamagedConfiguration() throws IOException {
        Path damaged = Files.createDirectory(folder.resolve("damaged"));
        Files.writeString(damaged.resolve("config.json"), "{\"model\": 3");

        CommandRun resumed = CommandRun.of("train", "--resume", "--output", damaged.toString());

        assertThat(resumed.status()).isEqualTo(1);
        assertThat(resumed.err())
                .contains("config.json")
                .contains("another --output")
                .hasLineCount(1);
    }

    @Test
    void dataThatCannotBeOpenedLeavesNoFolderBehind() {
        Path none = folder.resolve("none");

        CommandRun run = train(
                "--data", "mnist", "--data-dir", folder.resolve("nowhere").toString(), "--output", none.toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("nowhere").hasLineCount(1);
        assertThat(none).doesNotExist();
    }

    @Test
    void aDeviceThatIsNotThereIsOneLineWithItsReason() {
        BackendInfo cuda = BackendInfo.query(Device.Kind.CUDA);
        assumeFalse(cuda.available(), "this machine has a CUDA device");
        Path none = folder.resolve("cuda");

        CommandRun run = train("--device", "cuda", "--output", none.toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err())
                .startsWith("velu: device cuda:0 is unavailable: " + FailureMessage.oneLine(cuda.reason()))
                .hasLineCount(1);
        assertThat(none).doesNotExist();
    }

    @Test
    void aVerboseFailureHasItsStackTrace() {
        CommandRun run = train("--verbose", "--data", "zip:" + folder.resolve("nowhere.zip"));

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err().lines()).anyMatch(line -> line.startsWith("\tat dev.velu."));
    }

    @Test
    void evaluationPrintsOnlyJsonOnStdout() {
        CommandRun run = CommandRun.of("eval", "--checkpoint", best(), "--json");

        assertThat(run.status()).isZero();
        JsonNode evaluation = run.json();
        assertThat(evaluation.path("images").asInt()).isEqualTo(16);
        assertThat(evaluation.path("top1").asDouble()).isBetween(0.0, 1.0);
    }

    @Test
    void predictionsAreClassesWithProbabilitiesAndABadImageIsNamed() throws IOException {
        Path image = folder.resolve("grün.png");
        ImageIO.write(new BufferedImage(40, 20, BufferedImage.TYPE_INT_RGB), "png", image.toFile());
        Path text = Files.writeString(folder.resolve("text.jpg"), "not an image");

        CommandRun run = CommandRun.of(
                "predict", "--checkpoint", best(), "--top", "10", "--json", text.toString(), image.toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).startsWith("velu: cannot read '" + text + "'").hasLineCount(1);
        JsonNode lines = run.json();
        assertThat(lines.path(0).path("error").asText()).contains("text.jpg");
        double sum = 0;
        for (JsonNode prediction : lines.path(1).path("predictions")) {
            assertThat(prediction.path("class_name").asText()).isNotBlank();
            sum += prediction.path("probability").asDouble();
        }
        assertThat(sum).isBetween(0.999999, 1.000001);
    }

    @Test
    void peopleSeeTheMostProbableClasses() throws IOException {
        Path image = folder.resolve("grey.png");
        ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY), "png", image.toFile());

        CommandRun run = CommandRun.of("predict", "--checkpoint", best(), "--top", "3", image.toString());

        assertThat(run.status()).isZero();
        assertThat(run.out().lines()).hasSize(4).element(1).asString().contains(" %  ");
    }

    @Test
    void aFileThatIsNoCheckpointIsNamed() throws IOException {
        Path junk = Files.writeString(folder.resolve("junk.safetensors"), "junk");

        CommandRun run = CommandRun.of("eval", "--checkpoint", junk.toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains(junk.toString()).hasLineCount(1);
    }
}
