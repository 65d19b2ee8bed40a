package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;
import dev.velu.graph.Plan;
import dev.velu.models.NetworkSpec.Precision;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.Test;

class NetworkPrecisionTest {
    private static final int BATCH = 8;
    private static final int CLASSES = 10;

    private static Network network(Precision precision, boolean training) {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named("resnet50"),
                CLASSES,
                64,
                VeluParameters.released(),
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.PAPER,
                0.1f,
                precision);
        return Network.build(spec, new Parameters(), BATCH, training, NormalizeImage.imageNet());
    }

    @Test
    void activationsAreBfloat16AndLogitsFloat32() {
        Network network = network(Precision.BF16, true);
        assertThat(network.graph().nodes().getFirst().output(0).type().dtype()).isEqualTo(DType.BF16);
        assertThat(network.graph().nodes())
                .filteredOn(node -> node.operation().name().startsWith("batch_norm"))
                .isNotEmpty()
                .allMatch(node -> node.output(0).type().dtype() == DType.BF16)
                .allMatch(node -> node.output(1).type().dtype() == DType.F32);
        assertThat(network.logits().type()).isEqualTo(TensorType.f32(BATCH, CLASSES));
    }

    @Test
    void parametersAndLayersAreThoseOfFloat32() {
        Network narrow = network(Precision.BF16, true);
        Network wide = network(Precision.FP32, true);
        assertThat(narrow.parameters().all()).isEqualTo(wide.parameters().all());
        assertThat(narrow.layers()).isEqualTo(wide.layers());
        assertThat(narrow.macsPerImage()).isEqualTo(wide.macsPerImage());
    }

    @Test
    void trainingInBfloat16NeedsHalfTheMemoryForActivationsAndACopyOfTheWeights() {
        Network narrow = network(Precision.BF16, true);
        Network wide = network(Precision.FP32, true);
        TrainingGraph.training(narrow, 0);
        TrainingGraph.training(wide, 0);
        long weights = wide.parameters().trainableBytes();
        assertThat(Plan.memory(narrow.graph()).temporaries())
                .isLessThan(Plan.memory(wide.graph()).temporaries() * 11 / 20 + weights / 2);
    }

    @Test
    void theLogitsOfAnEvaluationAreAFloat32Result() {
        Network network = network(Precision.BF16, false);
        TrainingGraph.evaluation(network);
        assertThat(network.graph().results())
                .filteredOn(value -> value.name().equals(TrainingGraph.LOGITS))
                .singleElement()
                .matches(value -> value.type().equals(TensorType.f32(BATCH, CLASSES)));
    }

    private static DeviceInfo cpu(boolean bfloat16) {
        return new DeviceInfo(Device.cpu(), "Old Processor", 1L << 30, 1L << 29, 2, Isa.AVX2, bfloat16, null);
    }

    @Test
    void aCpuWithoutBfloat16ComputesInFloat32Only() {
        assertThatNoException().isThrownBy(() -> Precision.FP32.requireOn(cpu(false)));
        assertThatNoException().isThrownBy(() -> Precision.BF16.requireOn(cpu(true)));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Precision.BF16.requireOn(cpu(false)))
                .withMessage("precision bf16 is not computed on device cpu, whose processor (Old Processor) has no"
                        + " AVX512_BF16; use precision fp32 or a CUDA device");
    }

    @Test
    void aDeviceIsAskedOnlyForWhatItMayLack() {
        assertThatNoException().isThrownBy(() -> Precision.FP32.requireOn(Device.cpu()));
        assertThatNoException().isThrownBy(() -> Precision.BF16.requireOn(Device.cuda(0)));
        if (DeviceInfo.query(Device.cpu()).bfloat16()) {
            assertThatNoException().isThrownBy(() -> Precision.BF16.requireOn(Device.cpu()));
        } else {
            assertThatIllegalArgumentException().isThrownBy(() -> Precision.BF16.requireOn(Device.cpu()));
        }
    }

    @Test
    void anUnknownPrecisionIsNamedWithTheKnownOnes() {
        assertThat(Precision.named("bf16")).isEqualTo(Precision.BF16);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Precision.named("BF16"))
                .withMessage("unknown precision 'BF16'; use one of fp32, bf16");
    }
}
