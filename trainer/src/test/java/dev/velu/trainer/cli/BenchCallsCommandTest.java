package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;

class BenchCallsCommandTest {
    @Test
    void everyWayOfCallingHasItsCost() {
        CommandRun run = CommandRun.of("bench", "calls", "--peer", "none", "--quick", "--json");

        assertThat(run.err()).isEmpty();
        assertThat(run.status()).isZero();
        JsonNode costs = run.json().path("costs");
        assertThat(costs)
                .hasSize(4)
                .allSatisfy(
                        cost -> assertThat(cost.path("nanoseconds").asDouble()).isBetween(0.1, 1e6));
        assertThat(costs.get(0).path("function").asText()).isEqualTo("velu_abi_version");
        assertThat(costs.get(1).path("way").asText()).isEqualTo("FFM critical");
    }
}
