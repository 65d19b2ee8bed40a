package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BenchInferenceCommandTest {
    private static final String[] TINY = {
        "bench",
        "inference",
        "--model",
        "mobilenet_v2",
        "--size",
        "32",
        "--classes",
        "10",
        "--rounds",
        "2",
        "--seconds",
        "0.01",
        "--warmup",
        "1"
    };

    private static CommandRun tiny(String... more) {
        return CommandRun.of(Stream.of(TINY, more).flatMap(Arrays::stream).toArray(String[]::new));
    }

    @Test
    void aloneItTimesOurs() {
        CommandRun run = tiny("--batch-size", "2", "--device", "cpu", "--json");

        assertThat(run.status()).isZero();
        JsonNode report = run.json();
        assertThat(report.path("contestants").size()).isOne();
        assertThat(report.path("comparisons").size()).isZero();
        assertThat(report.path("images_per_second").asDouble())
                .isEqualTo(2000 / report.path("median_milliseconds").asDouble());
        assertThat(report.path("p90_milliseconds").asDouble())
                .isGreaterThanOrEqualTo(report.path("median_milliseconds").asDouble());
    }

    @Test
    void anUnknownPeerIsWrongUsageThatListsTheKnownOnes() {
        CommandRun run = tiny("--peer", "tvm");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("unknown peer 'tvm'; use one of onnxruntime, velu-fp32");
    }

    @Test
    void withoutTheModuleOfPeersItSaysHowToGetIt() {
        CommandRun run = tiny("--peer", "onnxruntime");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("need the module bench/peers").contains("./velu of a source checkout");
    }

    @Test
    void noRoundsAreWrongUsage() {
        CommandRun run = CommandRun.of("bench", "inference", "--rounds", "0");
        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("--rounds 0 is not positive");
        assertThat(CommandRun.of("bench", "inference", "--seconds", "-1").err())
                .contains("--seconds -1.0 is outside 0..600");
    }
}
