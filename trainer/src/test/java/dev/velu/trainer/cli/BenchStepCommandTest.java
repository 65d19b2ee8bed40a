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
    void benchAloneNamesItsCommand() {
        CommandRun run = CommandRun.of("bench");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("use 'velu bench step'");
    }
}
