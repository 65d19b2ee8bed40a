package dev.velu.trainer.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.velu.models.Freezing;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.profile.ProfileReport;
import dev.velu.trainer.report.RunReport;
import dev.velu.trainer.run.ProgressDisplay;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.StepProfiler;
import dev.velu.trainer.run.TrainingRun;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu train}. */
@Command(
        name = "train",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Trains a network.",
            "The best and the last checkpoint, the configuration, the metrics of every epoch and a report go to"
                    + " a folder. Ctrl-C finishes the step and saves."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu train                                      a small run on drawn shapes",
            "  velu train --data folder:photos --size 64 --epochs 20 --crop-padding 8 --flip",
            "  velu train --data mnist --data-dir data --size 32 --output runs/digits",
            "  velu train --data cifar10 --recipe modern --output runs/cifar10",
            "  velu train --data zip:cifar10.zip --sites head --head paper --activation gelu",
            "  velu train --weights resnet50.pth --data folder:photos --freeze conv1,layer1",
            "  velu train --resume --output runs/digits",
            "  velu train --model resnet50 --size 128 --batch-size 16 --profile"
        })
final class TrainCommand implements Callable<Integer> {
    @Option(
            names = "--output",
            paramLabel = "DIR",
            description =
                    "Folder for the results (default: runs/MODEL-ACTIVATION-DATA, with a number if that is taken).")
    Path output;

    @Option(
            names = "--resume",
            description = "Go on with the run in --output, with its own settings; it starts anew if there is none.")
    boolean resume;

    @Mixin
    ProfileOptions profile;

    @ArgGroup(validate = false, heading = "%nNetwork%n")
    NetworkOptions network = new NetworkOptions();

    @ArgGroup(validate = false, heading = "%nRecipe and starting point%n")
    StartOptions start = new StartOptions();

    @ArgGroup(validate = false, heading = "%nConstants of VeLU%n")
    VeluOptions velu = new VeluOptions();

    @ArgGroup(validate = false, heading = "%nData%n")
    DataOptions data = new DataOptions();

    @ArgGroup(validate = false, heading = "%nRandom changes of training images%n")
    AugmentationOptions augmentation = new AugmentationOptions();

    @ArgGroup(validate = false, heading = "%nOptimization%n")
    OptimizationOptions optimization = new OptimizationOptions();

    @ArgGroup(validate = false, heading = "%nMachine%n")
    MachineOptions machine = new MachineOptions();

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (resume && output == null) {
            throw new ParameterException(spec.commandLine(), "--resume needs --output DIR, the folder of the run");
        }
        if (output != null && output.toString().isBlank()) {
            throw new ParameterException(spec.commandLine(), "--output names no folder; use . for the current one");
        }
        if (resume && start.weights != null) {
            throw new ParameterException(
                    spec.commandLine(), "give --weights or --resume, not both: a resumed run has weights of its own");
        }
        int profiled = profile.steps(spec);
        RunConfiguration base = resume ? savedOrDefault(output) : RunConfiguration.defaults();
        RunConfiguration configuration =
                WrongUsage.unless(spec, () -> Settings.apply(spec.commandLine().getParseResult(), base));
        Machine.of(spec, configuration.device(), configuration.precision(), configuration.tf32());
        WrongUsage.unless(
                spec,
                () -> record(
                        configuration, Settings.dataset(configuration.data()).imageSize()));
        Path folder = output != null ? output : freeFolder(configuration);
        try (ProgressDisplay progress = Terminal.progress();
                TrainingRun run = new TrainingRun(configuration, folder, resume, progress)) {
            if (profiled > 0) {
                run.profile(profiled, this::print);
            }
            TrainingRun.Outcome outcome = run.run();
            if (outcome == TrainingRun.Outcome.COMPLETED) {
                report(run, folder);
            }
        }
        return Main.DONE;
    }

    /** Records the network once: what cannot be built is wrong usage, found before any data is read. */
    private static Network record(RunConfiguration given, int defaultSize) {
        NetworkSpec network = given.network(1, given.size() != null ? given.size() : defaultSize);
        if (!given.freeze().isEmpty()) {
            Freezing.of(network, given.freeze());
        }
        return Network.build(network, new Parameters(), given.batchSize(), true, NormalizeImage.imageNet());
    }

    /** The settings that a run in this folder was started with. */
    private static RunConfiguration savedOrDefault(Path folder) throws IOException {
        Path file = folder.resolve("config.json");
        if (!Files.exists(file)) {
            return RunConfiguration.defaults();
        }
        if (!Files.isRegularFile(file)) {
            throw new RunException(file + " is not a file; start in another --output");
        }
        try {
            // Damaged characters become damaged JSON, which is reported with the file's name.
            return RunConfiguration.fromJson(new String(Files.readAllBytes(file), UTF_8), file.toString());
        } catch (IllegalArgumentException e) {
            throw new RunException(e.getMessage() + "; mend it, or start in another --output", e);
        }
    }

    /** A folder that no other run has used. */
    private static Path freeFolder(RunConfiguration configuration) {
        String kind = configuration.data().replaceFirst(":.*", "");
        String name = configuration.model() + "-" + configuration.activation() + "-" + kind;
        Path folder = Path.of("runs", name);
        for (int i = 2; Files.exists(folder); i++) {
            folder = Path.of("runs", name + "-" + i);
        }
        return folder;
    }

    private void print(ProfileReport profiled) {
        PrintWriter out = spec.commandLine().getOut();
        out.println();
        ProfileTable.print(profiled, out);
        out.println();
        out.flush();
    }

    private void report(TrainingRun run, Path folder) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(String.format(
                Locale.ROOT, "best eval top-1 %.2f %% in epoch %d", 100 * run.bestTop1(), run.bestEpoch()));
        out.println("results in " + folder);
        Table files = new Table(Align.LEFT, Align.LEFT)
                .row("  " + TrainingRun.BEST, "the network of the best epoch")
                .row("  " + TrainingRun.LAST, "where --resume goes on")
                .row("  " + RunReport.FILE, "curves, mistakes and settings, to open in a browser")
                .row("  metrics.jsonl", "one line per epoch")
                .row("  config.json", "the settings");
        if (Files.exists(folder.resolve(StepProfiler.REPORT))) {
            files.row("  " + StepProfiler.REPORT, "where the time of a step goes")
                    .row("  " + StepProfiler.TRACE, "the same, to open in https://ui.perfetto.dev");
        }
        files.print(out);
        out.println(
                "classify images with: velu predict --checkpoint " + folder.resolve(TrainingRun.BEST) + " IMAGE...");
    }
}
