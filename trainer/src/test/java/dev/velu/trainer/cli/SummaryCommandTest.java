package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SummaryCommandTest {
    private static JsonNode summary(String... options) {
        String[] args = new String[options.length + 2];
        args[0] = "summary";
        args[1] = "--json";
        System.arraycopy(options, 0, args, 2, options.length);
        CommandRun run = CommandRun.of(args);
        assertThat(run.err()).isEmpty();
        assertThat(run.status()).isZero();
        return run.json();
    }

    @ParameterizedTest
    @CsvSource({
        "vgg19, 224, 143667240, 19632062464, 18",
        "vgg19_bn, 224, 143678248, 19632062464, 18",
        "resnet50, 224, 25557032, 4089184256, 49",
        "densenet121, 224, 7978856, 2834161664, 121",
        "mobilenet_v2, 224, 3504872, 300774272, 35",
        "efficientnet_b3, 300, 12233232, 1827141392, 52",
        "vit_b_16, 224, 86567656, 17563828224, 12"
    })
    void totalsAreThePublishedOnes(String model, int size, long params, long macs, int sites) {
        JsonNode summary = summary("--model", model, "--batch-size", "1");

        assertThat(summary.path("params").asLong()).isEqualTo(params);
        assertThat(summary.path("macs").asLong()).isEqualTo(macs);
        assertThat(summary.path("activation_sites").asInt()).isEqualTo(sites);
        assertThat(summary.path("activation_params").asLong()).isEqualTo(sites);
        assertThat(summary.path("size").asInt()).isEqualTo(size);
    }

    @Test
    void totalsDoNotDependOnTheActivationOrTheBatch() {
        JsonNode summary = summary("--activation", "relu", "--batch-size", "2", "--size", "32");

        assertThat(summary.path("params").asLong()).isEqualTo(25_557_032);
        assertThat(summary.path("activation_params").asLong()).isZero();
        assertThat(summary.path("macs").asLong())
                .isEqualTo(summary("--activation", "velu", "--batch-size", "3", "--size", "32")
                        .path("macs")
                        .asLong());
    }

    @Test
    void layersAddUpToTheTotals() {
        JsonNode summary = summary("--size", "32", "--batch-size", "2", "--classes", "10");

        long params = 0;
        long macs = 0;
        for (JsonNode layer : summary.path("layers")) {
            params += layer.path("params").asLong();
            macs += layer.path("macs").asLong();
        }
        assertThat(params).isEqualTo(summary.path("params").asLong());
        assertThat(macs).isEqualTo(summary.path("macs").asLong());
    }

    @Test
    void everySiteIsListed() {
        JsonNode summary = summary("--size", "32", "--batch-size", "2", "--sites", "head", "--head", "paper");

        assertThat(summary.path("activations")).hasSize(51);
        assertThat(summary.path("activations").findValuesAsText("activation"))
                .containsOnly("relu", "velu")
                .filteredOn("velu"::equals)
                .hasSize(2);
        assertThat(summary.path("activation_params").asLong()).isEqualTo(1);
    }

    @Test
    void trainingNeedsMoreMemoryThanInferenceAndTheTotalIsTheSum() {
        JsonNode memory = summary("--size", "32", "--batch-size", "8").path("memory");

        for (JsonNode need : memory) {
            long sum = 0;
            for (String part : new String[] {
                "parameters",
                "gradients",
                "optimizer_state",
                "packed_parameters",
                "temporaries",
                "inputs_and_results",
                "workspace"
            }) {
                sum += need.path(part).asLong();
            }
            assertThat(need.path("total").asLong()).isEqualTo(sum).isPositive();
        }
        assertThat(memory.path("training").path("total").asLong())
                .isGreaterThan(memory.path("inference").path("total").asLong());
    }

    @Test
    void peopleSeeTheSameTotals() {
        CommandRun run = CommandRun.of("summary", "--size", "32", "--batch-size", "2", "--classes", "1000");

        assertThat(run.status()).isZero();
        assertThat(run.out()).contains("downsample", "25,557,032", "49 sites", "workspace");
    }

    @Test
    void modulesBelowADepthAreSummedUp() {
        CommandRun run =
                CommandRun.of("summary", "--model", "densenet121", "--size", "32", "--batch-size", "2", "--depth", "2");

        assertThat(run.status()).isZero();
        assertThat(run.out()).contains("denseblock3  144 modules", "7,978,856").doesNotContain("denselayer");
    }

    @Test
    void sizesThatTheNetworkCannotTakeAreWrongUsage() {
        CommandRun run = CommandRun.of("summary", "--model", "vit_b_16", "--size", "100");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("image size 100", "multiples of 16", "96 or 112");
    }

    @Test
    void tf32IsSaidToHaveNoEffectOnTheCpu() {
        CommandRun run =
                CommandRun.of("summary", "--size", "32", "--batch-size", "2", "--device", "cpu", "--tf32", "--json");

        assertThat(run.status()).isZero();
        assertThat(run.err().lines()).containsExactly("velu: --tf32 has no effect on device cpu");
        assertThat(run.json().path("precision").asText()).isEqualTo("fp32");
    }

    @Test
    void anAbsentDeviceIsAFailureWithItsReason() {
        CommandRun run = CommandRun.of("summary", "--size", "32", "--device", "cuda:7");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines()).hasSize(1);
    }
}
