package dev.velu.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.device.Device;
import dev.velu.models.NetworkSpec;
import dev.velu.trainer.peer.InferenceRuns;
import dev.velu.trainer.peer.Malloc;
import dev.velu.trainer.peer.PeerException;
import dev.velu.trainer.peer.PeerFiles;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.PeerProcess;
import dev.velu.trainer.peer.TrainingRequest;
import dev.velu.trainer.peer.TrainingSteps;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** That the peers, in processes of their own as in {@code velu bench}, do the work that we do. */
class SameWorkTest {
    private static final int CLASSES = 1000;
    private static final PeerModule MODULE = new PeerModule(
            System.getProperty("java.class.path"), Path.of("target", "djl").toAbsolutePath());

    private static RunConfiguration settings(String network, String activation, int batch) {
        return RunConfiguration.defaults()
                .with(Map.of(
                        "model",
                        network,
                        "activation",
                        activation,
                        "batch_size",
                        batch,
                        "optimizer",
                        "sgd",
                        "device",
                        "cpu",
                        "threads",
                        2));
    }

    private static PeerProcess start(Malloc malloc) {
        return PeerProcess.start(MODULE, 2, malloc, List.of());
    }

    /**
     * Two steps, so that gradients and updates count, too. After ReLU rounding errors grow at every batch norm, so its second loss
     * says nothing.
     */
    @ParameterizedTest
    @CsvSource({
        "resnet50, velu, 64, 8, false, 2, 1e-5",
        "resnet50, velu, 64, 8, true, 2, 1e-5",
        "resnet50, relu, 64, 4, false, 1, 1e-4",
        "densenet121, velu, 64, 4, false, 2, 1e-5"
    })
    void libtorchsLossesAreOurs(
            String network, String activation, int size, int batch, boolean channelsLast, int steps, double tolerance) {
        RunConfiguration settings = settings(network, activation, batch);
        NetworkSpec spec = settings.network(CLASSES, size);
        try (PeerFiles files = new PeerFiles();
                TrainingSteps ours = new TrainingSteps(settings, spec, Device.cpu(), settings.contextOptions());
                PeerProcess peer = start(Malloc.TUNED)) {
            TrainingRequest request = TrainingRequest.of(settings, spec, ours.writeTo(files), ours.labels());
            peer.prepare(channelsLast ? request.withChannelsLast() : request);
            for (int step = 0; step < steps; step++) {
                ours.run(1);
                peer.run(1);
                JsonNode results = peer.results();
                assertThat(results.path("loss").asDouble())
                        .as("loss of step %d", step)
                        .isCloseTo(ours.step().loss(), within(7 * tolerance));
                assertThat(results.path("w2").asDouble())
                        .as("W2 of step %d", step)
                        .isCloseTo(ours.step().w2(), within(10 * tolerance));
            }
        }
    }

    /** Its dropout draws other numbers than ours, and comes after all activations. */
    @Test
    void libtorchsActivationsInANetworkWithDropoutAreOurs() {
        RunConfiguration settings = settings("mobilenet_v2", "velu", 4);
        NetworkSpec spec = settings.network(CLASSES, 32);
        try (PeerFiles files = new PeerFiles();
                TrainingSteps ours = new TrainingSteps(settings, spec, Device.cpu(), settings.contextOptions());
                PeerProcess peer = start(Malloc.DEFAULT)) {
            peer.prepare(TrainingRequest.of(settings, spec, ours.writeTo(files), ours.labels()));
            ours.run(1);
            peer.run(1);
            assertThat(ours.step().w2()).isPositive();
            assertThat(peer.results().path("w2").asDouble())
                    .isCloseTo(ours.step().w2(), within(1e-4));
            assertThat(peer.name()).startsWith("libtorch 2.").contains(" through DJL ");
        }
    }

    @Test
    void onnxRuntimesScoresAreOurs() {
        RunConfiguration settings = settings("mobilenet_v2", "velu", 2);
        NetworkSpec spec = settings.network(CLASSES, 32);
        try (PeerFiles files = new PeerFiles();
                InferenceRuns ours = new InferenceRuns(settings, spec, Device.cpu(), settings.contextOptions());
                PeerProcess peer = start(Malloc.DEFAULT)) {
            peer.prepare(Map.of(
                    "kind", "inference",
                    "model", ours.writeModel(files).toString(),
                    "tensors", ours.writeBatch(files).toString()));
            ours.run(1);
            assertThat(peer.run(2)).hasSize(2).doesNotContain(0.0);
            float[] expected = ours.logits();
            JsonNode scores = peer.results().path("logits");
            assertThat(scores.size()).isEqualTo(CLASSES);
            for (int c = 0; c < CLASSES; c++) {
                assertThat(scores.get(c).asDouble()).isCloseTo(expected[c], within(1e-4));
            }
        }
    }

    @Test
    void aPeerThatRefusesSaysWhyAndWhatWasWanted() {
        try (PeerProcess peer = start(Malloc.DEFAULT)) {
            assertThatThrownBy(
                            () -> peer.prepare(Map.of("kind", "inference", "model", "/no/such.onnx", "tensors", "x")))
                    .isInstanceOf(PeerException.class)
                    .hasMessageContaining("/no/such.onnx");
        }
    }

    @Test
    void aProcessThatEndsIsAnErrorWithItsLastWords() {
        try (PeerProcess peer = PeerProcess.start(MODULE, 2, Malloc.DEFAULT, List.of("-XX:NoSuchOption"))) {
            assertThatThrownBy(() -> peer.run(1))
                    .isInstanceOf(PeerException.class)
                    .hasMessageContaining("its process ended with exit status 1");
        }
    }
}
