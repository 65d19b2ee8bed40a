package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.VeluException;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec.Precision;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint of a run in bf16: it holds float32 parameters. */
class CheckpointPrecisionTest {
    private static final int SIZE = 16;

    @TempDir
    static Path folder;

    private static Path checkpoint;

    @BeforeAll
    static void write() throws IOException {
        checkpoint = folder.resolve("checkpoint.safetensors");
        RunConfiguration configuration = RunConfiguration.defaults().with(Map.of("precision", "bf16"));
        NormalizeImage normalization = NormalizeImage.imageNet();
        Parameters parameters = new Parameters();
        Network.build(configuration.network(2, SIZE), parameters, 1, false, normalization);
        try (Context context = Context.open(Device.cpu(), 1, Isa.AUTO)) {
            parameters.allocate(context, false);
            parameters.initialize(1);
            new Checkpoint(configuration, List.of("cat", "dog"), SIZE, normalization.mean(), normalization.std(), null)
                    .write(checkpoint, parameters, List.of(), context);
        }
    }

    @Test
    void isEvaluatedInFloat32OnTheCpuAndSaysHowItWasTrained() throws IOException {
        try (TrainedNetwork network = new TrainedNetwork(checkpoint, Device.cpu(), 1, 1)) {
            assertThat(network.configuration().precision()).isEqualTo("bf16");
        }
    }

    @Test
    void isNotComputedInBfloat16WhereTheProcessorDoesNot() {
        ContextOptions portable = ContextOptions.defaults().withIsa(Isa.BASELINE);
        assertThatThrownBy(() -> new TrainedNetwork(checkpoint, Device.cpu(), portable, Precision.BF16, 1))
                .isInstanceOf(VeluException.class)
                .hasMessageContaining("computes in bfloat16")
                .hasMessageContaining("use float32");
    }
}
