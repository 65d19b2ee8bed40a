package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.run.RunConfiguration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

class HelpTest {
    static Stream<CommandLine> commands() {
        List<CommandLine> all = new ArrayList<>();
        collect(new CommandLine(new VeluCommand()), all);
        return all.stream();
    }

    private static void collect(CommandLine command, List<CommandLine> all) {
        all.add(command);
        command.getSubcommands().values().forEach(sub -> collect(sub, all));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyCommandHasADescriptionExamplesAndTheCommonOptions(CommandLine command) {
        List<String> words =
                new ArrayList<>(List.of(command.getCommandSpec().qualifiedName().split(" ")));
        words.removeFirst();
        words.add("--help");
        CommandRun run = CommandRun.of(words.toArray(String[]::new));

        assertThat(run.status()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains("Examples", "--help", "--verbose");
        assertThat(command.getCommandSpec().usageMessage().description()).isNotEmpty();
        assertThat(run.out().lines()).allMatch(line -> line.length() <= 100);
    }

    @Test
    void showsTheDefaultsOfTheRunConfiguration() {
        String help = CommandRun.of("train", "--help").out().replaceAll("\\s+", " ");

        RunConfiguration defaults = RunConfiguration.defaults();
        assertThat(help)
                .contains("efficientnet_b3 or vit_b_16 (default: " + defaults.model() + ")")
                .contains("Passes over the training images (default: " + defaults.epochs() + ")")
                .contains("Weight of the Wasserstein-2 term of every site in the loss (default: " + defaults.lambdaOt()
                        + ")");
    }

    @Test
    void groupsTheOptionsOfTrain() {
        assertThat(CommandRun.of("train", "--help").out().lines())
                .containsSubsequence(
                        "Options", "Network", "Constants of VeLU", "Data", "Optimization", "Machine", "Examples");
    }

    @Test
    void versionIsThatOfTheBuild() {
        CommandRun run = CommandRun.of("--version");

        assertThat(run.status()).isZero();
        assertThat(run.out().strip()).matches("velu \\d+\\.\\d+\\.\\d+.*");
    }
}
