package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.RandomFill;
import dev.velu.op.VeluParameters;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs exported models in ONNX Runtime. */
class OnnxExportTest {
    private static final int BATCH = 3;
    private static final int CLASSES = 7;
    private static final NormalizeImage NORMALIZATION = NormalizeImage.imageNet();

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 0, Isa.AUTO);

    @TempDir
    Path folder;

    static Stream<Arguments> networks() {
        VeluParameters clamped = new VeluParameters(
                2f, 1f, 0.7f, 0.5f, 0.9f, 1e-6f, VeluParameters.Statistic.STD, new VeluParameters.Clamp(0.9f, 1.1f));
        Stream<Arguments> published = Architecture.all().stream()
                .flatMap(architecture -> Stream.of(
                        Arguments.of(architecture, null, NetworkSpec.Head.STANDARD),
                        Arguments.of(architecture, VeluParameters.curve(), NetworkSpec.Head.STANDARD)))
                .filter(network -> !isLargeTwin(network));
        return Stream.concat(
                published,
                Stream.of(Arguments.of(Architecture.named("mobilenet_v2"), clamped, NetworkSpec.Head.PAPER)));
    }

    /** VGG19 has 139 million parameters: its variant without batch norm is tried with VeLU only, and vice versa. */
    private static boolean isLargeTwin(Arguments network) {
        Architecture architecture = (Architecture) network.get()[0];
        boolean own = network.get()[1] == null;
        return architecture.label().equals("vgg19") && own
                || architecture.label().equals("vgg19_bn") && !own;
    }

    @ParameterizedTest
    @MethodSource("networks")
    void onnxRuntimeGivesTheSameLogits(Architecture architecture, ActivationFunction activation, NetworkSpec.Head head)
            throws IOException, OrtException {
        int size = architecture.label().equals("efficientnet_b3") ? 40 : 48;
        NetworkSpec spec = new NetworkSpec(architecture, CLASSES, size, activation, NetworkSpec.Sites.ALL, head, 0);
        Network network = Network.build(spec, new Parameters(), BATCH, false, NORMALIZATION);
        Parameters parameters = network.parameters();
        parameters.allocate(context, false);
        parameters.initialize(11);
        varyStatistics(parameters);
        byte[] pixels = new byte[BATCH * size * size * 3];
        new Random(5).nextBytes(pixels);
        float[][] expected = new float[BATCH][CLASSES];
        try (InferenceStep step = new InferenceStep(network, context)) {
            step.run(MemorySegment.ofArray(pixels));
            for (int row = 0; row < BATCH; row++) {
                expected[row] = step.logits(row);
            }
        }
        Path file = export(spec, parameters, context);
        float[][] actual = run(file, normalized(pixels, size), size);
        for (int row = 0; row < BATCH; row++) {
            assertThat(relativeError(actual[row], expected[row]))
                    .as("row %d: %s for %s", row, Arrays.toString(actual[row]), Arrays.toString(expected[row]))
                    .isLessThan(1e-4);
        }
    }

    private static double relativeError(float[] actual, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow(actual[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        assertThat(norm).isPositive();
        return Math.sqrt(difference / norm);
    }

    /** Running statistics of a trained network are not 0 and 1, nor is the head of the transformer 0. */
    private void varyStatistics(Parameters parameters) {
        int stream = 0;
        for (Parameter parameter : parameters.all()) {
            Initializer initializer = null;
            if (parameter.name().endsWith("running_mean") || parameter.name().startsWith("heads.head")) {
                initializer = new Initializer.Uniform(-0.3f, 0.3f);
            } else if (parameter.name().endsWith("running_var") || parameter.role() == Parameter.Role.ACTIVATION) {
                initializer = new Initializer.Uniform(0.7f, 1.3f);
            }
            if (initializer != null) {
                RandomFill.fill(context, parameters.segment(parameter), parameter.type(), initializer, 1, stream++);
            }
        }
    }

    private Path export(NetworkSpec spec, Parameters parameters, Context onContext) throws IOException {
        Path file = folder.resolve("network.onnx");
        try (OutputStream out = Files.newOutputStream(file)) {
            OnnxExport.write(spec, parameters, NORMALIZATION, onContext, Map.of("origin", "test"), out);
        }
        return file;
    }

    private static float[] normalized(byte[] pixels, int size) {
        float[] images = new float[pixels.length];
        int plane = size * size;
        for (int i = 0; i < pixels.length; i++) {
            int channel = i % 3;
            int pixel = i / 3 % plane;
            int image = i / 3 / plane;
            images[(image * 3 + channel) * plane + pixel] =
                    ((pixels[i] & 0xff) / 255f - NORMALIZATION.mean().get(channel))
                            / NORMALIZATION.std().get(channel);
        }
        return images;
    }

    private static float[][] run(Path file, float[] images, int size) throws OrtException {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        long[] shape = {BATCH, 3, size, size};
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
                OrtSession session = environment.createSession(file.toString(), options);
                OnnxTensor input = OnnxTensor.createTensor(environment, FloatBuffer.wrap(images), shape);
                OrtSession.Result result = session.run(Map.of(OnnxExport.INPUT, input))) {
            return (float[][]) result.get(OnnxExport.LOGITS).orElseThrow().getValue();
        }
    }

    @Test
    void theModelTellsItsInputAndNormalization() throws IOException, OrtException {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named("mobilenet_v2"),
                CLASSES,
                32,
                VeluParameters.released(),
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0);
        Parameters parameters =
                Network.build(spec, new Parameters(), 1, false, NORMALIZATION).parameters();
        parameters.allocate(context, false);
        Path file = export(spec, parameters, context);
        try (OrtSession session = OrtEnvironment.getEnvironment().createSession(file.toString())) {
            TensorInfo input =
                    (TensorInfo) session.getInputInfo().get(OnnxExport.INPUT).getInfo();
            assertThat(input.getShape()).containsExactly(-1, 3, 32, 32);
            TensorInfo logits =
                    (TensorInfo) session.getOutputInfo().get(OnnxExport.LOGITS).getInfo();
            assertThat(logits.getShape()).containsExactly(-1, CLASSES);
            assertThat(session.getMetadata().getCustomMetadata())
                    .containsEntry("model", "mobilenet_v2")
                    .containsEntry("activation", "velu")
                    .containsEntry("mean", "0.485 0.456 0.406")
                    .containsEntry("origin", "test");
        }
    }
}
