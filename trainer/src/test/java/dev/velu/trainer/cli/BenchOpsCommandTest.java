package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BenchOpsCommandTest {
    @Test
    void theOperationsOfAStepStandInTheOrderOfTheirCost() {
        CommandRun run = CommandRun.of(
                "bench",
                "ops",
                "--model",
                "mobilenet_v2",
                "--activation",
                "default",
                "--size",
                "32",
                "--batch-size",
                "2",
                "--classes",
                "10",
                "--threads",
                "1",
                "--peer",
                "none",
                "--quick",
                "--json");

        assertThat(run.status()).isZero();
        JsonNode report = run.json();
        List<Double> costs = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (JsonNode line : report.path("operations")) {
            assertThat(line.path("milliseconds_per_step").asDouble())
                    .isEqualTo(line.path("calls").asInt()
                            * line.path("milliseconds").asDouble());
            assertThat(line.path("libtorch_milliseconds").isNull()).isTrue();
            costs.add(-line.path("milliseconds_per_step").asDouble());
            names.add(line.path("operation").asText());
        }
        assertThat(costs).isSorted();
        assertThat(names)
                .contains("conv2d_forward", "conv2d_backward_data", "batch_norm_backward", "optimizer_step")
                .doesNotContain("reshape");
        assertThat(report.path("comparisons")).isEmpty();
    }

    @Test
    void anUnknownPeerIsWrongUsage() {
        CommandRun run = CommandRun.of("bench", "ops", "--peer", "numpy");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("peer 'numpy' is unknown; use djl or none");
    }
}
