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
        description = {
            "Measures how fast a device is, alone or beside other libraries.",
            "For the share of the device's limits that operations reach see 'velu selftest --perf'."
        },
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions%n",
        commandListHeading = "%nCommands%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu bench step --model resnet50 --size 64 --batch-size 8",
            "  velu bench velu --quick",
            "  velu bench ops --model mobilenet_v2 --size 64 --batch-size 8"
        },
        subcommands = {
            BenchStepCommand.class,
            BenchInferenceCommand.class,
            BenchVeluCommand.class,
            BenchOpsCommand.class,
            BenchCallsCommand.class
        })
final class BenchCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "no command given; use 'velu bench step'");
    }
}
