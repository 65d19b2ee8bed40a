package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.run.RunConfiguration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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
        String name = command.getCommandSpec().qualifiedName();
        List<String> words = new ArrayList<>(List.of(name.split(" ")));
        words.removeFirst();
        words.add("--help");
        CommandRun run = CommandRun.of(words.toArray(String[]::new));

        assertThat(run.status()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).startsWith("Usage: " + name + " ");
        assertThat(run.out()).contains("Examples", name, "--help", "--verbose");
        assertThat(command.getCommandSpec().usageMessage().description()).isNotEmpty();
        assertThat(run.out().lines()).allMatch(line -> line.length() <= 100);
    }

    /** It stands alone in the list of commands and in the name of a manual page. */
    @ParameterizedTest
    @MethodSource("commands")
    void theFirstLineOfADescriptionIsAShortSentence(CommandLine command) {
        String first = command.getCommandSpec().usageMessage().description()[0];

        assertThat(first).endsWith(".").hasSizeLessThan(100);
        assertThat(first.substring(0, first.length() - 1)).doesNotContain(". ");
    }

    @ParameterizedTest
    @MethodSource("commands")
    void helpFitsATerminalOf80Columns(CommandLine command) {
        String help = command.setUsageHelpWidth(80).getUsageMessage();

        assertThat(help.lines()).allMatch(line -> line.length() <= 80);
        assertThat(Stream.of(command.getCommandSpec().usageMessage().footer()).filter(line -> line.startsWith("  ")))
                .as("examples, which must not be broken")
                .allSatisfy(line -> assertThat(help.lines()).contains(line));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void optionsAreDescribedInSentencesAndOrderedByMeaning(CommandLine command) {
        assertThat(command.getCommandSpec().usageMessage().sortOptions()).isFalse();
        assertThat(command.getCommandSpec().options())
                .allSatisfy(option -> assertThat(option.description())
                        .as(option.longestName())
                        .isNotEmpty()
                        .allMatch(line -> line.endsWith(".")));
    }

    @Test
    void anOptionHasOnePlaceholderInAllCommands() {
        Map<String, Set<String>> labels = new TreeMap<>();
        commands()
                .flatMap(command -> command.getCommandSpec().options().stream())
                .filter(option -> !option.longestName().equals("--output"))
                .forEach(option -> labels.computeIfAbsent(option.longestName(), name -> new TreeSet<>())
                        .add(option.paramLabel().replaceFirst("\\[,.*", "")));

        assertThat(labels).allSatisfy((name, ways) -> assertThat(ways).as(name).hasSize(1));
    }

    @Test
    void theHelpOfVeluExplainsTheExitStatus() {
        assertThat(CommandRun.of("--help").out().lines().dropWhile(line -> !line.equals("Exit status")))
                .element(3)
                .asString()
                .contains("2", "wrong usage");
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
