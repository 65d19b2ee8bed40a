package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

class CompareCommandTest {
    private static final List<String> TINY = List.of(
            "--models=mobilenet_v2",
            "--data=shapes",
            "--epochs=1",
            "--limit-train=8",
            "--limit-eval=4",
            "--batch-size=4",
            "--size=16",
            "--threads=1");

    @TempDir
    private Path temporary;

    private CommandRun compare(String... options) {
        List<String> args = new ArrayList<>(List.of("compare"));
        args.addAll(TINY);
        args.addAll(List.of("--output", folder().toString()));
        args.addAll(List.of(options));
        return CommandRun.of(args.toArray(String[]::new));
    }

    private CommandRun plainly(String... options) {
        List<String> args = new ArrayList<>(List.of("compare", "--output", folder().toString()));
        args.addAll(List.of(options));
        return CommandRun.of(args.toArray(String[]::new));
    }

    private Path folder() {
        return temporary.resolve("out");
    }

    private static void assertWrongUsage(CommandRun run, String... words) {
        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).startsWith("velu compare: ").contains(words).hasLineCount(2);
    }

    @Test
    void trainsTheCellsInProcessesOfTheirOwnAndCompares() throws IOException {
        CommandRun run = compare("--activations=velu,relu", "--seeds=0");

        assertThat(run.status()).as(run.err()).isZero();
        assertThat(run.out())
                .contains("2 of 2 cells are finished", "mobilenet_v2  shapes", "needs at least two seeds")
                .doesNotContain("NaN");
        List<String> lines = Files.readAllLines(folder().resolve("results.jsonl"));
        assertThat(lines).hasSize(2);
        JsonNode first = new ObjectMapper().readTree(lines.getFirst());
        assertThat(first.get("status").asText()).isEqualTo("ok");
        assertThat(first.get("last").get("eval_top1").asDouble()).isBetween(0.0, 1.0);
        assertThat(first.get("parameters").asLong()).isGreaterThan(2_000_000);
        assertThat(first.get("planned_memory_bytes").asLong()).isPositive();
        assertThat(first.get("peak_memory_bytes").asLong())
                .isGreaterThan(first.get("planned_memory_bytes").asLong());
        assertThat(folder().resolve("cells/mobilenet_v2-relu-shapes-0/checkpoint-last.safetensors"))
                .exists();
        assertThat(folder().resolve("report.html")).isNotEmptyFile();
        assertThat(Files.readAllLines(folder().resolve("table.csv")).getFirst())
                .startsWith("model,data,activation,metric,epoch,cells,finished,mean,std,best");

        CommandRun again = plainly("--resume", "--metric=eval_loss", "--baseline=relu");

        assertThat(again.status()).as(again.err()).isZero();
        assertThat(again.out()).contains("eval loss of the last epoch, lower is better", "relu - velu");
        assertThat(Files.readAllLines(folder().resolve("results.jsonl"))).isEqualTo(lines);

        CommandRun grown = compare("--activations=velu,relu", "--seeds=0,1", "--dry-run");
        assertThat(grown.out()).contains("done", "finished cells", "2 of 4 cells to train");
    }

    @Test
    void aDryRunListsTheCellsWithTimeAndMemoryAndWritesNothing() {
        CommandRun run = compare("--activations=velu,gelu", "--seeds=0-1", "--dry-run");

        assertThat(run.status()).as(run.err()).isZero();
        assertThat(run.out().lines().toList())
                .hasSize(8)
                .anyMatch(line -> line.matches("mobilenet_v2-gelu-shapes-1 +\\d+ s +\\d+ +measured steps"))
                .anyMatch(line -> line.startsWith("4 of 4 cells to train"));
        assertThat(folder()).doesNotExist();
    }

    @Test
    void hasTheSettingsOfTrainButForTheAxesOfTheGrid() {
        assertThat(settings(new CompareCommand(), List.of()))
                .isEqualTo(settings(new TrainCommand(), List.of("--model", "--activation", "--data", "--seed")));
    }

    private static List<String> settings(Object command, List<String> without) {
        return new CommandLine(command)
                .getCommandSpec().options().stream()
                        .filter(option -> option.group() != null)
                        .map(OptionSpec::longestName)
                        .filter(name -> !without.contains(name))
                        .sorted()
                        .toList();
    }

    @Test
    void refusesAGridThatCannotBeBeforeAnythingIsTrained() {
        assertWrongUsage(compare("--activations=velu,tanh"), "unknown activation 'tanh'");
        assertWrongUsage(compare("--activations=velu,velu"), "activation velu is named twice");
        assertWrongUsage(compare("--activations=velu,,relu"), "--activations 'velu,,relu' has an empty name");
        assertWrongUsage(compare("--seeds=0,1.5"), "'1.5' is no seed");
        assertWrongUsage(plainly("--models=resnet50,resnet"), "resnet");
        assertWrongUsage(plainly("--data=mnits"), "mnits");
        assertWrongUsage(compare("--metric=f1"), "unknown metric 'f1'");
        assertWrongUsage(compare("--epoch=first"), "unknown epoch 'first'");
        assertWrongUsage(compare("--baseline=gelu"), "--baseline gelu is not compared", "velu, relu");
        assertWrongUsage(compare("--activations=relu,gelu", "--alpha=0.2"), "--alpha is a constant of VeLU");
        assertWrongUsage(plainly("--models=mobilenet_v2,vit_b_16", "--size=33"), "cell vit_b_16-velu-shapes-0: ", "33");
        assertThat(folder()).doesNotExist();
    }

    @Test
    void whatFollowsAConstantOfVeluIsLeftToItsCells() {
        CommandRun run = compare("--activations=relu,velu", "--alpha=0.2", "--seeds=0", "--dry-run");

        assertThat(run.status()).as(run.err()).isZero();
    }

    @Test
    void goesOnOnlyWithWhatTheFolderIsFor() {
        assertWrongUsage(plainly("--resume", "--models=resnet50"), "--resume takes the grid from --output");
        CommandRun none = plainly("--resume");
        assertThat(none.status()).isEqualTo(1);
        assertThat(none.err()).contains("holds no comparison").hasLineCount(1);
    }

    @Test
    void aGridFileSaysWhatOptionsOverride() throws IOException {
        Path grid = Files.writeString(temporary.resolve("grid.yaml"), """
                models: mobilenet_v2
                activations: [velu, silu, gelu]
                seeds: 0-9
                settings: {size: 16, limit_train: 8, limit_eval: 4, batch_size: 4}
                """);

        CommandRun run = plainly("--grid", grid.toString(), "--seeds=7", "--dry-run");

        assertThat(run.status()).as(run.err()).isZero();
        assertThat(run.out()).contains("mobilenet_v2-silu-shapes-7", "3 of 3 cells to train");
    }
}
