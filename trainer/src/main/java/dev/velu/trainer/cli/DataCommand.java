package dev.velu.trainer.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu data}. */
@Command(
        name = "data",
        sortOptions = false,
        description = "Lists and fetches the data sets that can be trained on.",
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions%n",
        commandListHeading = "%nCommands%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu data list", "  velu data list cifar10", "  velu data fetch cifar10 svhn"},
        subcommands = {DataListCommand.class, DataFetchCommand.class})
final class DataCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        throw new ParameterException(
                spec.commandLine(), "no command given; use 'velu data list' or 'velu data fetch NAME'");
    }
}
