package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;

class BenchVeluCommandTest {
    private static CommandRun alone(String... more) {
        String[] args = new String[6 + more.length];
        System.arraycopy(new String[] {"bench", "velu", "--peer", "none", "--quick", "--shapes"}, 0, args, 0, 6);
        System.arraycopy(more, 0, args, 6, more.length);
        return CommandRun.of(args);
    }

    @Test
    void everyCaseIsComparedWithACopyOfItsMemory() {
        CommandRun run = alone("31x33,8x64", "--json");

        assertThat(run.status()).isZero();
        JsonNode report = run.json();
        assertThat(report.path("comparisons")).hasSize(2 * 2 * 2).allSatisfy(one -> {
            assertThat(one.path("name").asText())
                    .matches("velu forward(\\+backward)? .* (released|curve) vs memory copy");
            assertThat(one.path("unit").asText()).isEqualTo("GB/s");
            assertThat(one.path("ratio").asDouble())
                    .isEqualTo(one.path("ours").asDouble() / one.path("peer").asDouble());
            assertThat(one.path("spread").isNumber()).isTrue();
        });
        assertThat(report.path("rates")).anySatisfy(rate -> {
            assertThat(rate.path("name").asText()).isEqualTo("gelu forward 31x33");
            assertThat(rate.path("gigabytes_per_second").asDouble()).isPositive();
        });
        assertThat(report.path("command").asText())
                .isEqualTo("velu bench velu --peer none --quick --shapes 31x33,8x64 --json");
        assertThat(report.path("machine").path("threads").asInt()).isPositive();
        assertThat(report.path("versions")).isEmpty();
    }

    @Test
    void theTableHasARowForEveryCase() {
        CommandRun run = alone("31x33", "--constants", "released");

        assertThat(run.status()).isZero();
        assertThat(run.out().lines().filter(line -> line.startsWith("31x33  released")))
                .hasSize(2);
    }

    @Test
    void whatIsUnknownIsWrongUsage() {
        assertThat(alone("31").err()).contains("shape '31' is not of the form ROWSxCHANNELS");
        assertThat(alone("0x5").err()).contains("shape 0x5 is not one of at least 1x1");
        assertThat(alone("3x5", "--constants", "mine").err())
                .contains("constants 'mine' is unknown; use curve or released");
        CommandRun run = CommandRun.of("bench", "velu", "--peer", "tensorflow");
        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("peer 'tensorflow' is unknown; use djl or vector-api");
    }

    @Test
    void aPeerWithoutItsModuleSaysHowToGetIt() {
        CommandRun run = CommandRun.of("bench", "velu", "--shapes", "3x5");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("module bench/peers");
    }
}
