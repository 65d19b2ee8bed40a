package dev.velu.trainer.cli;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.models.NetworkSpec;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.peer.InferenceComparison;
import dev.velu.trainer.peer.InferenceRuns;
import dev.velu.trainer.run.RunConfiguration;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu bench inference}. */
@Command(
        name = "inference",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Times the classification of images.",
            "One batch of random images after the other: copy to the device, normalization, forward pass with"
                    + " batch norm folded into the convolutions, and the scores read back.",
            "With --peer others classify the same images with the same weights, in turns with us; their images"
                    + " are normalized before."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu bench inference --model resnet50 --batch-size 1 --peer onnxruntime",
            "  velu bench inference --precision bf16 --peer velu-fp32,onnxruntime --json"
        })
final class BenchInferenceCommand implements Callable<Integer> {
    @Mixin
    BenchedNetworkOptions network;

    @Option(names = "--batch-size", paramLabel = "B", description = "Images at a time (default: ${DEFAULT-VALUE}).")
    int batchSize = 1;

    @Option(
            names = "--peer",
            split = ",",
            paramLabel = "P",
            description =
                    "Compare with others on the CPU: onnxruntime (ONNX Runtime with the exported network) and velu-fp32"
                            + " (our own in float32). Several are separated by commas.")
    List<String> peers = List.of();

    @Option(names = "--rounds", paramLabel = "N", description = "Turns of everybody (default: ${DEFAULT-VALUE}).")
    int rounds = 8;

    @Option(
            names = "--seconds",
            paramLabel = "X",
            description = "How long a turn lasts, about (default: ${DEFAULT-VALUE}).")
    double seconds = 1;

    @Option(names = "--warmup", paramLabel = "N", description = "Batches before (default: ${DEFAULT-VALUE}).")
    int warmup = 10;

    @Mixin
    DeviceOptions machine;

    @Mixin
    PrecisionOptions precision;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /** What is printed as JSON, with the fields of {@link InferenceComparison.Result}. */
    record Report(
            String implementation,
            String model,
            String activation,
            String precision,
            String device,
            String deviceName,
            int threads,
            int size,
            int batchSize,
            double medianMilliseconds,
            double p90Milliseconds,
            double spread,
            double imagesPerSecond,
            @JsonUnwrapped InferenceComparison.Result comparison) {}

    @Override
    public Integer call() {
        if (rounds < 1 || warmup < 1 || !(seconds > 0 && seconds <= 600)) {
            throw new ParameterException(
                    spec.commandLine(),
                    rounds < 1
                            ? "--rounds " + rounds + " is not positive"
                            : warmup < 1
                                    ? "--warmup " + warmup + " is not positive"
                                    : "--seconds " + seconds + " is outside 0..600");
        }
        machine.device(spec);
        boolean onCpu = List.of("auto", Device.cpu().toString()).contains(machine.device);
        if (!peers.isEmpty() && !onCpu) {
            throw new ParameterException(
                    spec.commandLine(), "peers compute on the CPU, not on " + machine.device + "; use --device cpu");
        }
        Machine on = Machine.of(
                spec, peers.isEmpty() ? machine.device : Device.cpu().toString(), precision.precision, precision.tf32);
        RunConfiguration settings = network.settings(
                spec,
                Map.of(
                        "batch_size", batchSize,
                        "precision", precision.precision,
                        "device", on.device().toString(),
                        "threads", machine.threads,
                        "tf32", precision.tf32));
        NetworkSpec described = network.spec(spec, settings);
        InferenceComparison comparison =
                new InferenceComparison(settings, network.classes, network.size, rounds, 1e3 * seconds, warmup);
        WrongUsage.unless(spec, () -> {
            comparison.check(peers);
            return null;
        });
        try (InferenceRuns ours = new InferenceRuns(settings, described, on.device(), settings.contextOptions())) {
            InferenceComparison.Result result = comparison.against(
                    ours, peers, what -> spec.commandLine().getErr().println("velu: " + what));
            InferenceComparison.Contestant we = result.contestants().getFirst();
            Report report = new Report(
                    "velu",
                    settings.model(),
                    settings.activation(),
                    settings.precision(),
                    settings.device(),
                    DeviceInfo.query(on.device()).name(),
                    ours.context().threads(),
                    network.size,
                    batchSize,
                    we.medianMilliseconds(),
                    we.p90Milliseconds(),
                    we.spread(),
                    we.imagesPerSecond(),
                    result);
            if (json) {
                Json.print(spec.commandLine().getOut(), report);
            } else {
                print(report, spec.commandLine().getOut());
            }
        }
        return Main.DONE;
    }

    private static void print(Report report, PrintWriter out) {
        Table head = new Table(Align.LEFT, Align.LEFT);
        head.row(
                "network",
                report.model() + " with " + report.activation() + ", images " + report.size() + " x " + report.size()
                        + ", batch size " + report.batchSize());
        head.row(
                "computed",
                report.precision() + " on " + report.device() + " (" + report.deviceName() + "), threads "
                        + report.threads());
        head.print(out);
        out.println();
        Table table =
                new Table(Align.LEFT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT);
        table.row("", "ms", "90 %", "spread", "images/s", "ours is", "logits differ")
                .rule();
        List<InferenceComparison.Contestant> all = report.comparison().contestants();
        for (InferenceComparison.Contestant each : all) {
            boolean peer = each != all.getFirst();
            table.row(
                    each.name(),
                    String.format(Locale.ROOT, "%.2f", each.medianMilliseconds()),
                    String.format(Locale.ROOT, "%.2f", each.p90Milliseconds()),
                    String.format(Locale.ROOT, "%.1f %%", 100 * each.spread()),
                    String.format(Locale.ROOT, "%.1f", each.imagesPerSecond()),
                    peer
                            ? String.format(
                                    Locale.ROOT, "%.2f x", each.medianMilliseconds() / report.medianMilliseconds())
                            : "",
                    peer ? String.format(Locale.ROOT, "%.1e", each.logitsError()) : "");
        }
        table.print(out);
    }
}
