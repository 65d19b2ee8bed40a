package dev.velu.trainer.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu bench}. */
@Command(
        name = "bench",
        sortOptions = false,
        description = "Measures how fast a device trains. For single operations see 'velu selftest --perf'.",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions%n",
        commandListHeading = "%nCommands%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu bench step --model resnet50 --size 64 --batch-size 8"},
        subcommands = BenchStepCommand.class)
final class BenchCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "no command given; use 'velu bench step'");
    }
}
