package dev.velu.trainer.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code velu}: the commands and the options that all of them have. */
@Command(
        name = "velu",
        versionProvider = Version.class,
        sortOptions = false,
        synopsisSubcommandLabel = "COMMAND",
        description = {
            "Trains and evaluates image classification networks with the VeLU activation function.",
            "VeLU scales a sigmoid gate by the variance of each row of channels and is regularized by the Wasserstein-2"
                    + " distance of its outputs to a standard normal distribution."
        },
        optionListHeading = "%nOptions%n",
        exitCodeListHeading = "%nExit status%n",
        exitCodeList = {
            "0:done",
            "1:failed; one line on stderr says what and why",
            "2:wrong usage; one line on stderr says what is wrong"
        },
        commandListHeading = "%nCommands%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu train                                      a small run on drawn shapes",
            "  velu train --data folder:photos --epochs 20 --output runs/photos",
            "  velu train --data mnist --data-dir data --size 32 --activation relu",
            "  velu compare --activations velu,relu,gelu --data mnist --size 32 --seeds 0-4",
            "  velu eval --checkpoint runs/photos/checkpoint-best.safetensors \\",
            "      --data folder:photos",
            "  velu predict --checkpoint runs/photos/checkpoint-best.safetensors cat.jpg",
            "  velu summary --model resnet50",
            "",
            "'velu COMMAND --help' shows a command's options."
        },
        subcommands = {
            InfoCommand.class,
            SummaryCommand.class,
            TrainCommand.class,
            CompareCommand.class,
            CellCommand.class,
            EvalCommand.class,
            PredictCommand.class,
            ExportCommand.class,
            SelfTestCommand.class,
            BenchCommand.class,
            RecipesCommand.class,
            ReportCommand.class,
            DataCommand.class,
            CompletionCommand.class
        })
final class VeluCommand implements Callable<Integer> {
    @Option(names = "--version", versionHelp = true, description = "Print the version and exit.")
    boolean version;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Print this help and exit.")
    boolean help;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Log more, and print the stack trace of a failure.")
    boolean verbose;

    @Spec
    CommandSpec spec;

    /** Without a command there is nothing to do but to say what there is. */
    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return Main.WRONG_USAGE;
    }
}
