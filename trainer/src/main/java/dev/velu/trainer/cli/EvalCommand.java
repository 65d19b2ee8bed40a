package dev.velu.trainer.cli;

import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.run.Evaluation;
import dev.velu.trainer.run.ProgressDisplay;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.TrainedNetwork;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu eval}. */
@Command(
        name = "eval",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Evaluates a checkpoint or published weights on a data set: loss, top-1 and top-5.",
            "The images are those of the evaluation split, which training does not see."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu eval --checkpoint best.safetensors --data-dir data",
            "  velu eval --checkpoint best.safetensors --data folder:photos --json",
            "  velu eval --weights resnet50.pth --model resnet50 --data folder:imagenet"
        })
final class EvalCommand implements Callable<Integer> {
    @Mixin
    WeightsOptions network;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @ArgGroup(validate = false, heading = "%nData%n")
    EvaluationOptions data = new EvaluationOptions();

    @Spec
    CommandSpec spec;

    /** Options of the data and the machine, named like the settings of {@link RunConfiguration} that they give. */
    static final class EvaluationOptions {
        private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

        @Option(
                names = "--data",
                paramLabel = "D",
                description = "A name of 'velu data list', folder:PATH or zip:PATH (default: what the checkpoint was"
                        + " evaluated on in training, with the same limit; needed with --weights).")
        String data;

        @Option(
                names = "--data-dir",
                paramLabel = "DIR",
                description =
                        "Where the files of a named data set lie (default: $VELU_DATA_DIR, else ~/.cache/velu/data).")
        String dataDir;

        @Option(
                names = "--limit-eval",
                paramLabel = "N",
                description = "Evaluate on N images only (default with --data: all).")
        Integer limitEval;

        @Option(
                names = "--corrupt-images",
                paramLabel = "fail|skip",
                description = "What to do with an image that cannot be decoded (default: as in training).")
        String corruptImages;

        @Option(
                names = "--batch-size",
                paramLabel = "B",
                description = "Images in a batch (default: ${DEFAULT-VALUE}).")
        int batchSize = 64;

        @Option(
                names = "--device",
                paramLabel = "D",
                description = "auto, cpu, cuda or cuda:INDEX (default: ${DEFAULT-VALUE}).")
        String device = DEFAULTS.device();

        @Option(
                names = "--precision",
                paramLabel = "fp32|bf16",
                description = "What activations are stored and multiplied in, whatever the network was trained in; bf16"
                        + " needs a GPU or a CPU with AVX512_BF16 (default: ${DEFAULT-VALUE}).")
        String precision = DEFAULTS.precision();

        @Option(
                names = "--tf32",
                description = "Let convolutions and matrix products in fp32 round their operands to TF32 on a GPU;"
                        + " without effect on the CPU.")
        boolean tf32 = DEFAULTS.tf32();

        @Option(
                names = "--threads",
                paramLabel = "N",
                description = "CPU threads of the operations; 0 for all processors (default: ${DEFAULT-VALUE}).")
        int threads = DEFAULTS.threads();

        @Option(
                names = "--decode-threads",
                paramLabel = "N",
                description = "Threads that decode images; 0 chooses (default: ${DEFAULT-VALUE}).")
        int decodeThreads = DEFAULTS.decodeThreads();
    }

    /** What is printed as JSON; top1 and top5 are fractions. */
    record Report(
            String checkpoint, String data, long images, double loss, double top1, double top5, long skippedImages) {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        var parsed = spec.commandLine().getParseResult();
        RunConfiguration asked = WrongUsage.unless(spec, () -> {
            RunConfiguration given = Settings.apply(parsed, RunConfiguration.defaults());
            Settings.dataset(given.data());
            return given;
        });
        network.check(spec);
        if (network.weights != null && data.data == null) {
            throw new ParameterException(spec.commandLine(), "--weights needs --data D, what to evaluate on");
        }
        Machine machine = Machine.of(spec, asked.device(), asked.precision(), asked.tf32());
        try (ProgressDisplay progress = Terminal.progress();
                TrainedNetwork loaded = network.open(machine, asked.threads(), data.batchSize)) {
            loaded.notes().forEach(progress::line);
            RunConfiguration trained = loaded.configuration();
            RunConfiguration settings = Settings.apply(parsed, data.data == null ? trained : withoutLimits(trained));
            Evaluation evaluation = loaded.evaluate(settings, progress);
            report(evaluation, settings.data());
        }
        return Main.DONE;
    }

    /** The limits in training were those of another data set. */
    private static RunConfiguration withoutLimits(RunConfiguration trained) {
        Map<String, Object> none = new HashMap<>();
        none.put("limit_train", null);
        none.put("limit_eval", null);
        none.put("data_dir", null);
        return trained.with(none);
    }

    private void report(Evaluation evaluation, String dataset) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(
                    out,
                    new Report(
                            network.file().toString(),
                            dataset,
                            evaluation.images(),
                            evaluation.loss(),
                            evaluation.top1(),
                            evaluation.top5(),
                            evaluation.skippedImages()));
            return;
        }
        Table table = new Table(Align.LEFT, Align.LEFT)
                .row("data", dataset)
                .row("images", evaluation.images())
                .row("loss", String.format(Locale.ROOT, "%.4f", evaluation.loss()))
                .row("top-1", String.format(Locale.ROOT, "%.2f %%", 100 * evaluation.top1()))
                .row("top-5", String.format(Locale.ROOT, "%.2f %%", 100 * evaluation.top5()));
        if (evaluation.skippedImages() > 0) {
            table.row("skipped", evaluation.skippedImages() + " corrupt images");
        }
        table.print(out);
    }
}
