package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.models.NetworkSpec.Precision;
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
}
