package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BenchStepCommandTest {
    private static final String[] TINY = {"bench", "step", "--size", "32", "--batch-size", "2", "--classes", "10"};

    private static CommandRun tiny(String... more) {
        String[] args = Stream.of(TINY, new String[] {"--device", "cpu"}, more)
                .flatMap(Arrays::stream)
                .toArray(String[]::new);
        return CommandRun.of(args);
    }

    @Test
    void timesAsManyStepsAsAskedFor() {
        CommandRun run = tiny("--steps", "3", "--warmup", "0", "--activation", "relu", "--json");

        assertThat(run.err()).isEmpty();
        assertThat(run.status()).isZero();
        JsonNode report = run.json();
        assertThat(report.path("steps").asInt()).isEqualTo(3);
        assertThat(report.path("median_milliseconds").asDouble()).isPositive();
        assertThat(report.path("images_per_second").asDouble())
                .isEqualTo(2000 / report.path("median_milliseconds").asDouble());
        assertThat(report.path("memory_bytes").asLong()).isGreaterThan(3 * 4 * 23_000_000L);
        assertThat(report.path("loss").asDouble()).isFinite();
    }

    @Test
    void noStepsAreWrongUsage() {
        CommandRun run = tiny("--steps", "0");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("--steps 0 is not positive");
    }

    @Test
    void besideOurOwnReluTheFirstRatioIsThatOfTheSpeeds() {
        CommandRun run = tiny(
                "--model",
                "mobilenet_v2",
                "--steps",
                "4",
                "--rounds",
                "2",
                "--warmup",
                "1",
                "--peer",
                "velu-relu",
                "--json");

        assertThat(run.status()).isZero();
        JsonNode report = run.json();
        JsonNode first = report.path("comparisons").path(0);
        assertThat(report.findValue("ratio")).isEqualTo(first.path("ratio"));
        assertThat(first.path("ours").asDouble())
                .isEqualTo(report.path("images_per_second").asDouble());
        assertThat(first.path("ratio").asDouble())
                .isEqualTo(first.path("ours").asDouble() / first.path("peer").asDouble());
        assertThat(report.path("contestants").findValuesAsText("name"))
                .containsExactly("velu fp32, velu", "velu fp32, relu");
        assertThat(report.has("memory")).isFalse();
    }

    @Test
    void peersThatCannotDoTheStepAreWrongUsageWithTheRemedy() {
        assertThat(tiny("--peer", "caffe").err()).contains("unknown peer 'caffe'; use one of djl, djl-channels-last");
        assertThat(tiny("--peer", "velu-fp32").err()).contains("would be the same step; use it with --precision bf16");
        assertThat(tiny("--peer", "djl", "--optimizer", "adam").err()).contains("use --optimizer sgd");
        assertThat(tiny("--peer", "djl", "--head", "paper").err()).contains("--head standard");
        CommandRun onGpu = CommandRun.of("bench", "step", "--device", "cuda", "--peer", "djl");
        assertThat(onGpu.status()).isEqualTo(2);
    }

    @Test
    void withoutTheModuleOfPeersItSaysHowToGetIt() {
        CommandRun run = tiny("--peer", "djl");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("need the module bench/peers");
    }

    @Test
    void benchAloneNamesItsCommand() {
        CommandRun run = CommandRun.of("bench");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("use 'velu bench step'");
    }
}
