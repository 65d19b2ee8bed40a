package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.tensor.Shape;
import dev.velu.trainer.run.TrainingRun;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Weights on the command line: exported, published, and started from. */
class WeightsTest {
    private static final List<String> TINY =
            List.of("--epochs", "1", "--limit-train", "32", "--limit-eval", "16", "--batch-size", "16", "--size", "16");

    @TempDir
    static Path folder;

    private static Path best;
    private static Path exported;
    private static Path bare;
    private static Path image;
    private static CommandRun export;

    @BeforeAll
    static void prepare() throws IOException {
        assertThat(train("--output", folder.resolve("run").toString()).status()).isZero();
        best = folder.resolve("run").resolve(TrainingRun.BEST);
        exported = folder.resolve("exported.safetensors");
        export = CommandRun.of("export", "--checkpoint", best.toString(), "--output", exported.toString());
        bare = folder.resolve("bare.bin");
        writeBare();
        image = folder.resolve("image.png");
        BufferedImage picture = new BufferedImage(30, 20, BufferedImage.TYPE_INT_RGB);
        picture.createGraphics().fillRect(5, 5, 10, 10);
        ImageIO.write(picture, "png", image.toFile());
    }

    private static CommandRun train(String... options) {
        List<String> args = new ArrayList<>(List.of("train"));
        args.addAll(TINY);
        args.addAll(List.of(options));
        return CommandRun.of(args.toArray(String[]::new));
    }

    /** The exported network as another program would save it: no metadata, a prefix. */
    private static void writeBare() throws IOException {
        try (SafeTensorsFile file = SafeTensorsFile.open(exported)) {
            List<SafeTensorsWriter.Entry> entries = new ArrayList<>();
            for (String name : file.names()) {
                entries.add(new SafeTensorsWriter.Entry(
                        "module." + name, file.dtype(name), file.shape(name), channel -> copy(file, name, channel)));
            }
            SafeTensorsWriter.write(bare, Map.of(), entries);
        }
    }

    private static void copy(SafeTensorsFile file, String name, WritableByteChannel channel) throws IOException {
        channel.write(file.segment(name).asByteBuffer());
    }

    private static JsonNode predictions(String... options) {
        List<String> args = new ArrayList<>(List.of("predict", "--json", "--top", "100"));
        args.addAll(List.of(options));
        args.add(image.toString());
        CommandRun run = CommandRun.of(args.toArray(String[]::new));
        assertThat(run.status()).describedAs(run.err()).isZero();
        return run.json().path(0).path("predictions");
    }

    private static List<Double> probabilities(JsonNode predictions) {
        List<Double> probabilities = new ArrayList<>();
        predictions.forEach(
                prediction -> probabilities.add(prediction.path("probability").asDouble()));
        return probabilities;
    }

    private static void assertFails(CommandRun run, int status, String... message) {
        assertThat(run.status()).describedAs(run.err()).isEqualTo(status);
        assertThat(run.err()).contains(message);
        assertThat(run.err().lines()).hasSize(status);
    }

    @Test
    void anExportedNetworkHasTorchvisionsNamesAndOrderAndSaysWhatItIs() throws IOException {
        assertThat(export.status()).describedAs(export.err()).isZero();
        assertThat(export.out()).isEqualTo("wrote " + exported + System.lineSeparator());
        try (SafeTensorsFile file = SafeTensorsFile.open(exported)) {
            assertThat(file.shape("conv1.weight")).isEqualTo(Shape.of(64, 3, 7, 7));
            assertThat(file.dtype("bn1.num_batches_tracked")).isEqualTo(ElementType.I64);
            assertThat(file.names())
                    .contains("relu.0.lambda", "fc.bias")
                    .noneMatch(name -> name.startsWith("optimizer"));
            assertThat(file.metadata())
                    .containsEntry("format", "pt")
                    .containsEntry("model", "resnet50")
                    .containsEntry("activation", "velu");
            assertThat(new ObjectMapper()
                            .readTree(file.metadata().get("classes"))
                            .size())
                    .isEqualTo(predictions("--checkpoint", best.toString()).size());
        }
    }

    @Test
    void anExportedNetworkPredictsLikeItsCheckpointByEitherOption() {
        JsonNode expected = predictions("--checkpoint", best.toString());

        assertThat(predictions("--checkpoint", exported.toString())).isEqualTo(expected);
        assertThat(predictions("--weights", exported.toString())).isEqualTo(expected);
        assertThat(predictions("--weights", best.toString(), "--model", "resnet50"))
                .isEqualTo(expected);
    }

    @Test
    void weightsThatSayNothingPredictOnceTheirNetworkIsNamed() throws IOException {
        JsonNode expected = predictions("--checkpoint", best.toString());
        List<String> names = new ArrayList<>();
        for (int i = 0; i < expected.size(); i++) {
            names.add("label " + i);
        }
        Path labels = Files.write(folder.resolve("labels.txt"), names);
        String[] options = {"--weights", bare.toString(), "--model", "resnet50", "--activation", "velu", "--size", "16"
        };

        JsonNode numbered = predictions(options);
        List<String> labelled = new ArrayList<>(List.of(options));
        labelled.addAll(List.of("--labels", labels.toString()));

        // Normalized like ImageNet instead of like the data set: other probabilities, as many.
        assertThat(probabilities(numbered)).hasSameSizeAs(probabilities(expected));
        assertThat(numbered.path(0).path("class_name").asText()).matches("\\d+");
        assertThat(predictions(labelled.toArray(String[]::new))
                        .path(0)
                        .path("class_name")
                        .asText())
                .isEqualTo("label " + numbered.path(0).path("class_name").asText());
    }

    @Test
    void notesOfTheImportAreOnStderr() {
        CommandRun run = CommandRun.of(
                "predict", "--weights", bare.toString(), "--model", "resnet50", "--size", "16", image.toString());

        assertThat(run.status()).isZero();
        assertThat(run.err())
                .startsWith("loaded 320 tensors of " + bare)
                .contains("49 of its VeLU lambdas are left out")
                .hasLineCount(2);
    }

    @Test
    void weightsAreEvaluatedOnADataSetWithAsManyClasses() {
        CommandRun own = CommandRun.of("eval", "--checkpoint", best.toString(), "--json");
        CommandRun weights = CommandRun.of(
                "eval", "--weights", exported.toString(), "--data", "shapes", "--limit-eval", "16", "--json");

        assertThat(weights.status()).describedAs(weights.err()).isZero();
        assertThat(weights.json().path("loss").asDouble())
                .isEqualTo(own.json().path("loss").asDouble());
        CommandRun unnamed = CommandRun.of(
                "eval",
                "--weights",
                bare.toString(),
                "--model",
                "resnet50",
                "--activation",
                "velu",
                "--size",
                "16",
                "--data",
                "shapes",
                "--limit-eval",
                "16",
                "--json");
        assertThat(unnamed.status()).describedAs(unnamed.err()).isZero();
        assertThat(unnamed.json().path("images").asInt()).isEqualTo(16);
    }

    @Test
    void aRunStartsFromTheWeightsOfAnotherAndKeepsWhichInItsConfiguration() throws IOException {
        Path output = folder.resolve("tuned");

        CommandRun run = train("--weights", best.toString(), "--lr", "0", "--output", output.toString());

        assertThat(run.status()).describedAs(run.err()).isZero();
        JsonNode configuration = new ObjectMapper().readTree(Files.readString(output.resolve("config.json")));
        assertThat(configuration.path("weights").asText()).isEqualTo(best.toString());
        try (SafeTensorsFile before = SafeTensorsFile.open(best);
                SafeTensorsFile after = SafeTensorsFile.open(output.resolve(TrainingRun.BEST))) {
            assertThat(after.toFloatArray("fc.weight")).isEqualTo(before.toFloatArray("fc.weight"));
            assertThat(after.toFloatArray("layer4.2.conv3.weight"))
                    .isEqualTo(before.toFloatArray("layer4.2.conv3.weight"));
        }
        // Resumed, it has its own weights, and those it started from may be gone.
        assertThat(CommandRun.of("train", "--resume", "--output", output.toString())
                        .status())
                .isZero();
    }

    @Test
    void aRunThatCannotReadItsWeightsLeavesNoFolder() {
        Path output = folder.resolve("none");

        assertFails(
                train("--weights", folder.resolve("nowhere.pth").toString(), "--output", output.toString()),
                1,
                "nowhere.pth: cannot be read: no such file or folder");
        assertThat(output).doesNotExist();
    }

    @Test
    void weightsOfAnotherNetworkAreRefusedByName() {
        assertFails(
                CommandRun.of(
                        "export",
                        "--weights",
                        bare.toString(),
                        "--model",
                        "resnet50",
                        "--activation",
                        "gelu",
                        "--size",
                        "x",
                        "--output",
                        "y"),
                2,
                "velu export: --size: 'x' is not a whole number");
        Path other = folder.resolve("other.safetensors");
        try {
            SafeTensorsWriter.write(
                    other,
                    Map.of(),
                    List.of(new SafeTensorsWriter.Entry("something", ElementType.F32, Shape.of(0), channel -> {})));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        assertFails(
                CommandRun.of("predict", "--weights", other.toString(), "--model", "resnet50", image.toString()),
                1,
                "other.safetensors: does not fit resnet50: conv1.weight [64, 3, 7, 7] is missing",
                "more; nothing was loaded");
    }

    @Test
    void weightsThatDoNotSayTheirNetworkNeedItsName() {
        assertFails(
                CommandRun.of("predict", "--weights", bare.toString(), image.toString()),
                1,
                "bare.bin does not say which network it holds; name it with --model");
    }

    @Test
    void anotherNetworkThanTheFileSaysIsRefused() {
        assertFails(
                CommandRun.of("predict", "--weights", exported.toString(), "--activation", "gelu", image.toString()),
                1,
                "holds a network with activation velu, not gelu; leave --activation out");
    }

    @Test
    void labelsHaveToNameAllClasses() throws IOException {
        Path labels = Files.writeString(folder.resolve("few.txt"), "one\ntwo\n\n");
        String[] options = {
            "predict", "--weights", bare.toString(), "--model", "resnet50", "--labels", labels.toString(), "x.png"
        };

        assertFails(CommandRun.of(options), 1, "few.txt does not name the classes: it has 2 names, the network ");
        Files.write(labels, new byte[] {(byte) 0xff, 10});
        assertFails(CommandRun.of(options), 1, "few.txt is not a text in UTF-8");
        Files.delete(labels);
        assertFails(CommandRun.of(options), 1, "no such file or folder: '" + labels + "'");
    }

    @Test
    void aFileThatCannotBeWrittenIsNamed() {
        Path output = folder.resolve("nowhere").resolve("out.safetensors");

        assertFails(
                CommandRun.of("export", "--checkpoint", best.toString(), "--output", output.toString()),
                1,
                output + ": cannot be written: no such file or folder");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "predict x.png               | velu predict: give the network: --checkpoint PATH, or --weights FILE with"
                        + " --model M",
                "eval --checkpoint a --weights b | velu eval: give --checkpoint or --weights, not both",
                "eval --checkpoint a --model resnet50 | velu eval: --model goes with --weights; a checkpoint says it"
                        + " itself",
                "eval --weights b --model resnet50 | velu eval: --weights needs --data D, what to evaluate on",
                "predict --weights b --model nosuchnet x.png | velu predict: unknown model 'nosuchnet'",
                "predict --weights b --model resnet50 --size 9000 x.png | velu predict: size 9000 is above 8192",
                "predict --weights b --activation blah x.png | velu predict: unknown activation 'blah'",
                "export --checkpoint a --output b --format keras | velu export: unknown format 'keras'; use one of",
                "export --checkpoint a --output= | velu export: --output names no file",
                "export --checkpoint a       | velu export: missing required option: '--output=FILE'",
                "train --resume --output a --weights b | velu train: give --weights or --resume, not both",
                "train --weights=            | velu train: weights '' names no file",
            })
    void wrongUsageIsOneLineAndAHint(String arguments, String expected) {
        CommandRun run = CommandRun.of(arguments.split(" "));

        assertThat(run.status()).describedAs(run.err()).isEqualTo(2);
        assertThat(run.err()).startsWith(expected).hasLineCount(2);
    }
}
