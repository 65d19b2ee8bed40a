package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Parameters;
import dev.velu.optim.OptimizerAlgorithm;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FreezingTest {
    private static final int BATCH = 2;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static NetworkSpec spec(String model) {
        return new NetworkSpec(
                Architecture.named(model), 10, 32, null, NetworkSpec.Sites.ALL, NetworkSpec.Head.STANDARD, 0);
    }

    private static List<String> stages(String model) {
        return ParameterStage.of(spec(model)).stream().map(ParameterStage::name).toList();
    }

    @Test
    void stagesStandFromInputToOutputUnderTorchvisionsNames() {
        assertThat(stages("resnet50")).containsExactly("conv1", "layer1", "layer2", "layer3", "layer4", "fc");
        assertThat(stages("densenet121"))
                .containsExactly(
                        "features.conv0",
                        "features.denseblock1",
                        "features.transition1",
                        "features.denseblock2",
                        "features.transition2",
                        "features.denseblock3",
                        "features.transition3",
                        "features.denseblock4",
                        "classifier");
        assertThat(stages("mobilenet_v2")).hasSize(20).startsWith("features.0").endsWith("features.18", "classifier");
        assertThat(stages("vgg19"))
                .hasSize(17)
                .startsWith("features.0", "features.2")
                .endsWith("classifier");
        assertThat(stages("vgg19_bn"))
                .hasSize(17)
                .startsWith("features.0", "features.3")
                .endsWith("classifier");
        assertThat(stages("vit_b_16"))
                .startsWith("class_token", "conv_proj", "encoder.pos_embedding", "encoder.layers.encoder_layer_0")
                .endsWith("encoder.layers.encoder_layer_11", "heads");
        assertThat(stages("efficientnet_b3"))
                .hasSize(10)
                .startsWith("features.0")
                .endsWith("features.8", "classifier");
    }

    @ParameterizedTest
    @CsvSource({"vgg19", "vgg19_bn", "resnet50", "densenet121", "mobilenet_v2", "efficientnet_b3", "vit_b_16"})
    void everyParameterBelongsToOneStage(String model) {
        List<ParameterStage> stages = ParameterStage.of(spec(model));
        Parameters parameters = ParameterStage.parameters(spec(model));
        assertThat(parameters.all())
                .allSatisfy(parameter -> assertThat(stages.stream().filter(stage -> stage.contains(parameter.name())))
                        .as(parameter.name())
                        .hasSize(1));
        assertThat(stages.stream().mapToLong(ParameterStage::parameters).sum()).isEqualTo(parameters.trainedCount());
    }

    @Test
    void aPrefixIsOfWholeComponents() {
        Freezing freezing = Freezing.of(spec("mobilenet_v2"), List.of("features.1."));
        assertThat(freezing.test("features.1.conv.0.0.weight")).isTrue();
        assertThat(freezing.test("features.10.conv.0.0.weight")).isFalse();
    }

    @Test
    void anUnknownPrefixIsNamedWithThoseThereAre() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Freezing.of(spec("resnet50"), List.of("layer1", "layer5")))
                .withMessage(
                        "'layer5' is no part of resnet50 to freeze; it has conv1, layer1, layer2, layer3, layer4, fc");
    }

    @Test
    void moreStagesThanThereAreAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Freezing.firstStages(spec("resnet50"), 6))
                .withMessageContaining("number of stages to freeze 6 is outside 0..5; resnet50 has conv1, layer1");
        assertThat(Freezing.firstStages(spec("resnet50"), 2).prefixes()).containsExactly("conv1", "bn1", "layer1");
    }

    @Test
    void freezingAllIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Freezing.of(spec("vgg19"), List.of("features", "classifier")))
                .withMessageContaining("nothing of vgg19 is left to train");
        assertThatIllegalArgumentException().isThrownBy(() -> new Freezing(List.of("")));
    }

    @Test
    void frozenStagesTakeLessMemory() {
        NetworkSpec spec = spec("mobilenet_v2");
        PlannedMemory all = memory(spec, Freezing.NONE);
        PlannedMemory half = memory(spec, Freezing.firstStages(spec, 10));
        PlannedMemory head = memory(spec, Freezing.firstStages(spec, 19));
        assertThat(half.parameters()).isEqualTo(all.parameters());
        assertThat(half.temporaries()).isLessThan(all.temporaries() * 2 / 3);
        assertThat(head.temporaries()).isLessThan(half.temporaries() * 2 / 3);
        assertThat(head.gradients()).isLessThan(all.gradients() / 20);
        assertThat(head.optimizerState()).isEqualTo(2 * head.gradients());
    }

    private PlannedMemory memory(NetworkSpec spec, Freezing freezing) {
        Parameters parameters = new Parameters();
        parameters.freeze(freezing);
        return PlannedMemory.training(
                spec, parameters, BATCH, OptimizerAlgorithm.Adam.defaults(), StepOptions.of(0), context);
    }
}
