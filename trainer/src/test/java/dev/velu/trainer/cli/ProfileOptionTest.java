package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.velu.trainer.run.StepProfiler;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --profile} of {@code velu train} and {@code velu bench step}. */
class ProfileOptionTest {
    @TempDir
    Path folder;

    private CommandRun train(String profile) {
        return CommandRun.of(
                "train",
                "--epochs",
                "1",
                "--limit-train",
                "32",
                "--limit-eval",
                "16",
                "--batch-size",
                "16",
                "--size",
                "16",
                "--device",
                "cpu",
                "--output",
                folder.toString(),
                profile);
    }

    private static CommandRun bench(String... more) {
        String[] args = {
            "bench",
            "step",
            "--model",
            "mobilenet_v2",
            "--size",
            "32",
            "--batch-size",
            "2",
            "--classes",
            "10",
            "--device",
            "cpu",
            "--steps",
            "1",
            "--warmup",
            "0"
        };
        String[] all = Arrays.copyOf(args, args.length + more.length);
        System.arraycopy(more, 0, all, args.length, more.length);
        return CommandRun.of(all);
    }

    @Test
    void trainingShowsWhereItsStepsGoAndNamesTheFiles() {
        CommandRun run = train("--profile=1");

        assertThat(run.status()).isZero();
        assertThat(run.out().lines())
                .anyMatch(line -> line.startsWith("profile of 1 steps: resnet50 with velu"))
                .anyMatch(line -> line.startsWith("limits measured now: memory "))
                .anyMatch(line -> line.startsWith("conv2d_backward_weights "))
                .anyMatch(line -> line.matches("\\d+ others .*"))
                .anyMatch(line -> line.startsWith("backward "))
                .anyMatch(line -> line.startsWith("outside native calls "))
                .anyMatch(line -> line.startsWith("whole step "))
                .anyMatch(line -> line.contains(StepProfiler.REPORT))
                .anyMatch(line -> line.contains(StepProfiler.TRACE));
        assertThat(folder.resolve(StepProfiler.REPORT)).exists();
        assertThat(folder.resolve(StepProfiler.TRACE)).exists();
    }

    @Test
    void aBenchmarkHasItsProfileInItsJson() {
        CommandRun run = bench("--profile=2", "--json");

        assertThat(run.err()).isEmpty();
        JsonNode profile = run.json().path("profile");
        assertThat(profile.path("steps").asInt()).isEqualTo(2);
        assertThat(profile.path("operations")).isNotEmpty();
        assertThat(profile.path("host").path("total").asDouble())
                .isPositive()
                .isLessThan(profile.path("step_milliseconds").asDouble());
        assertThat(profile.path("conditions")
                        .path("limits")
                        .path("memory_bytes_per_second")
                        .asDouble())
                .isPositive();
    }

    @Test
    void aBenchmarkHasNoProfileUnlessAskedFor() {
        assertThat(bench("--json").json().has("profile")).isFalse();
    }

    @Test
    void noStepsToProfileAreWrongUsage() {
        for (CommandRun run : new CommandRun[] {train("--profile=0"), bench("--profile", "0")}) {
            assertThat(run.status()).isEqualTo(2);
            assertThat(run.err()).contains("--profile 0 is not positive");
        }
    }

    @Test
    void aNumberOfStepsThatIsNoneIsWrongUsage() {
        CommandRun run = train("--profile=ten");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("--profile").contains("ten");
    }
}
