package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.velu.models.NetworkSpec.Precision;
import dev.velu.optim.Schedule;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RunConfigurationTest {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();
    private static final RunConfiguration CHANGED = DEFAULTS.with(Map.of("precision", "bf16", "tf32", true));

    @Test
    void precisionAndTf32AreKeptInItsJson() {
        assertThat(RunConfiguration.fromJson(CHANGED.toJson(), "test")).isEqualTo(CHANGED);
        assertThat(CHANGED.toJson()).contains("\"precision\" : \"bf16\"", "\"tf32\" : true");
    }

    @Test
    void precisionAndTf32AreThoseOfTheNetworkAndItsContext() {
        assertThat(DEFAULTS.network(2, 32).precision()).isEqualTo(Precision.FP32);
        assertThat(CHANGED.network(2, 32).precision()).isEqualTo(Precision.BF16);
        assertThat(DEFAULTS.contextOptions().allowTf32()).isFalse();
        assertThat(CHANGED.contextOptions().allowTf32()).isTrue();
    }

    @Test
    void aRunIsNotResumedWithAnotherPrecision() {
        assertThat(CHANGED.differences(DEFAULTS)).containsExactly("precision: bf16 != fp32", "tf32: true != false");
    }

    @Test
    void aFileFromBeforeThereWasTf32IsOfARunWithoutIt() {
        String json = DEFAULTS.toJson().replaceFirst("\\s*\"tf32\" : false,", "");
        assertThat(json).doesNotContain("tf32");
        assertThat(RunConfiguration.fromJson(json, "test")).isEqualTo(DEFAULTS);
    }

    @Test
    void weightsToStartFromAreKeptInItsJsonAndARunIsNotResumedWithOthers() {
        RunConfiguration started = DEFAULTS.with(Map.of("weights", "a.pth"));

        assertThat(RunConfiguration.fromJson(started.toJson(), "test").weights())
                .isEqualTo("a.pth");
        assertThat(started.differences(DEFAULTS)).containsExactly("weights: a.pth != null");
    }

    @Test
    void aFileFromBeforeThereWereWeightsIsOfARunWithout() {
        String json = DEFAULTS.toJson().replaceFirst("\\s*\"weights\" : null,", "");
        assertThat(json).doesNotContain("weights");
        assertThat(RunConfiguration.fromJson(json, "test")).isEqualTo(DEFAULTS);
    }

    @Test
    void theLearningRateIsTheNetworksUnlessItIsGiven() {
        RunConfiguration vgg19 = RunConfiguration.defaults().with(Map.of("model", "vgg19"));
        assertThat(RunConfiguration.defaults().baseLearningRate()).isEqualTo(1e-3f);
        assertThat(vgg19.baseLearningRate()).isEqualTo(1e-3f * 0.1f);
        assertThat(vgg19.with(Map.of("learning_rate", 0.5f)).baseLearningRate()).isEqualTo(0.5f);
    }

    @Test
    void aFileFromBeforeThereWereRecipesIsOfARunWithoutWhatTheyTurnOn() throws Exception {
        ObjectMapper json = new ObjectMapper();
        ObjectNode old = (ObjectNode) json.readTree(DEFAULTS.toJson());
        old.remove(List.of("recipe", "freeze", "mixup", "ema", "w2", "accumulate", "early_stopping", "warmup_share"));

        assertThat(RunConfiguration.fromJson(old.toString(), "test")).isEqualTo(DEFAULTS);
    }

    @Test
    void aSettingThatThereIsNotIsRefused() {
        String json = DEFAULTS.toJson().replace("\"mixup\"", "\"mixdown\"");

        assertThatThrownBy(() -> RunConfiguration.fromJson(json, "test")).hasMessageContaining("'mixdown'");
    }

    @Test
    void warmUpIsAShareOfTheRunOrANumberOfSteps() {
        RunConfiguration share = DEFAULTS.with(Map.of("warmup_share", 0.1f, "schedule", "constant"));
        assertThat(share.learningRateSchedule(100)).isEqualTo(new Schedule.WarmUp(10, new Schedule.Constant()));
        assertThatThrownBy(() -> share.with(Map.of("warmup_steps", 5)))
                .hasMessageContaining("set one of warmup-steps and warmup-share to 0");
    }

    @Test
    void cosineEndsAtTheFinalFraction() {
        assertThat(DEFAULTS.with(Map.of("final_fraction", 0.25f)).learningRateSchedule(100))
                .isEqualTo(new Schedule.Cosine(0.25));
    }

    @Test
    void unfreezingNeedsSomethingFrozen() {
        assertThatThrownBy(() -> DEFAULTS.with(Map.of("unfreeze_epoch", 2)))
                .hasMessageContaining("unfreeze-epoch 2 has no effect without freeze");
        RunConfiguration frozen = DEFAULTS.with(Map.of("unfreeze_epoch", 2, "freeze", List.of("conv1")));
        assertThat(frozen.freezesIn(0)).isTrue();
        assertThat(frozen.freezesIn(1)).isFalse();
    }
}
