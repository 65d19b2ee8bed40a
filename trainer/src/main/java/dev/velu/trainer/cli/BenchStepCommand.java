package dev.velu.trainer.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.models.NetworkSpec;
import dev.velu.models.StepRecorder;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.StepComparison;
import dev.velu.trainer.peer.StepPeer;
import dev.velu.trainer.peer.Timings;
import dev.velu.trainer.peer.TrainingSteps;
import dev.velu.trainer.profile.Conditions;
import dev.velu.trainer.profile.ProfileReport;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.StepProfiler;
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

/** {@code velu bench step}. */
@Command(
        name = "step",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Times training steps.",
            "A step on random images: copy to the device, forward, loss, backward, optimizer, and the loss read"
                    + " back. Steps follow each other as in training: on a GPU the next one is given to the device while"
                    + " the one before it runs.",
            "With --peer others do the same step, from the same weights, in turns with us: medians, spread,"
                    + " ratios and memory."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu bench step --model resnet50 --size 64 --batch-size 8",
            "  velu bench step --model resnet50 --size 64 --batch-size 8 --profile",
            "  velu bench step --size 64 --batch-size 8 --activation relu --peer djl --json",
            "  velu bench step --size 64 --precision bf16 --peer velu-fp32,djl",
            "  velu bench step --device cuda --precision bf16 --batch-size 256 --steps 50"
        })
final class BenchStepCommand implements Callable<Integer> {
    @Mixin
    BenchedNetworkOptions network;

    @Option(names = "--batch-size", paramLabel = "B", description = "Images per step (default: ${DEFAULT-VALUE}).")
    int batchSize = 32;

    @Option(
            names = "--optimizer",
            paramLabel = "O",
            description = "sgd (with momentum), adam, adamw or nadam (default: ${DEFAULT-VALUE}).")
    String optimizer = "sgd";

    @Option(names = "--steps", paramLabel = "N", description = "Steps timed (default: ${DEFAULT-VALUE}).")
    int steps = 20;

    @Option(
            names = "--warmup",
            paramLabel = "N",
            description = "Steps before them, which choose implementations and record graphs (default:"
                    + " ${DEFAULT-VALUE}).")
    int warmup = 5;

    @Option(
            names = "--peer",
            split = ",",
            paramLabel = "P",
            description =
                    "Compare with others on the CPU: djl (libtorch through DJL, its malloc as it comes and tuned),"
                            + " djl-channels-last (libtorch with the channels of images beside each other), velu-fp32 and"
                            + " velu-relu (our own step in float32, or with ReLU). Several are separated by commas.")
    List<String> peers = List.of();

    @Option(
            names = "--rounds",
            paramLabel = "N",
            description = "With --peer: turns of everybody, between which the steps are divided (default:"
                    + " ${DEFAULT-VALUE}).")
    int rounds = 5;

    @Mixin
    DeviceOptions machine;

    @Mixin
    PrecisionOptions precision;

    @Mixin
    ProfileOptions profile;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /**
     * What is printed as JSON.
     *
     * @param medianMilliseconds from the end of one step to that of the next
     * @param spread interquartile range of the steps as a fraction of the median
     * @param imagesPerSecond at the median
     * @param memoryBytes device memory held: parameters, gradients, optimizer, the plan's, scratch
     * @param loss cross-entropy of the last step, without the W2 term; null if it is not finite
     * @param profile of steps after those, recorded call by call; null if it was not asked for
     */
    record Report(
            String implementation,
            String model,
            String activation,
            String precision,
            boolean tf32,
            String optimizer,
            String device,
            String deviceName,
            int size,
            int batchSize,
            int steps,
            double medianMilliseconds,
            double spread,
            double minMilliseconds,
            double imagesPerSecond,
            long memoryBytes,
            Double loss,
            @JsonInclude(JsonInclude.Include.NON_NULL) ProfileReport profile) {}

    /** What is printed as JSON after a comparison: the fields of both. */
    record ComparedReport(
            @JsonUnwrapped Report ours, @JsonUnwrapped StepComparison.Result comparison) {}

    @Override
    public Integer call() {
        if (steps < 1 || warmup < 0) {
            throw new ParameterException(
                    spec.commandLine(),
                    steps < 1 ? "--steps " + steps + " is not positive" : "--warmup " + warmup + " is negative");
        }
        if (rounds < 1) {
            throw new ParameterException(spec.commandLine(), "--rounds " + rounds + " is not positive");
        }
        List<StepPeer> against = WrongUsage.unless(
                spec, () -> peers.stream().map(StepPeer::named).distinct().toList());
        int profiled = profile.steps(spec);
        RunConfiguration asked = network.settings(
                spec, Map.of("optimizer", optimizer, "batch_size", batchSize, "precision", precision.precision));
        NetworkSpec described = network.spec(spec, asked);
        machine.device(spec);
        Machine on = Machine.of(spec, deviceFor(against), precision.precision, precision.tf32);
        RunConfiguration settings = asked.with(
                Map.of("device", on.device().toString(), "threads", machine.threads, "tf32", precision.tf32));
        StepComparison comparison = new StepComparison(settings, network.classes, network.size, rounds, steps, warmup);
        WrongUsage.unless(spec, () -> {
            comparison.check(against);
            return null;
        });
        Object report = measure(settings, described, on, comparison, against, profiled);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, report);
        } else if (report instanceof ComparedReport compared) {
            print(compared.ours(), out);
            out.println();
            print(compared.comparison(), out);
        } else {
            print((Report) report, out);
        }
        return Main.DONE;
    }

    /** Peers compute on the CPU. */
    private String deviceFor(List<StepPeer> against) {
        if (against.isEmpty()) {
            return machine.device;
        }
        if (!List.of("auto", Device.cpu().toString()).contains(machine.device)) {
            throw new ParameterException(
                    spec.commandLine(), "peers compute on the CPU, not on " + machine.device + "; use --device cpu");
        }
        return Device.cpu().toString();
    }

    private Object measure(
            RunConfiguration settings,
            NetworkSpec described,
            Machine on,
            StepComparison comparison,
            List<StepPeer> against,
            int profiled) {
        try (TrainingSteps ours = new TrainingSteps(settings, described, on.device(), settings.contextOptions())) {
            if (against.isEmpty()) {
                if (warmup > 0) {
                    ours.run(warmup);
                }
                return report(settings, on, ours, Timings.of(ours.run(steps)), profiled);
            }
            StepComparison.Result result = comparison.against(ours, against, this::say);
            return new ComparedReport(report(settings, on, ours, result.ours(), profiled), result);
        }
    }

    private void say(String what) {
        spec.commandLine().getErr().println("velu: " + what);
    }

    private Report report(RunConfiguration settings, Machine on, TrainingSteps ours, Timings timings, int profiled) {
        return new Report(
                "velu",
                settings.model(),
                settings.activation(),
                on.precision().label(),
                on.tf32(),
                settings.optimizer(),
                on.device().toString(),
                DeviceInfo.query(on.device()).name(),
                network.size,
                batchSize,
                timings.count(),
                timings.median(),
                timings.spread(),
                timings.quantile(0),
                1e3 * batchSize / timings.median(),
                ours.context().allocatedBytes(),
                Float.isFinite(ours.step().loss()) ? (double) ours.step().loss() : null,
                profiled == 0 ? null : profile(settings, ours, profiled));
    }

    private ProfileReport profile(RunConfiguration settings, TrainingSteps ours, int count) {
        Conditions conditions = StepProfiler.conditions(settings, network.size, ours.context());
        try (StepRecorder recorder = ours.step().record(count)) {
            while (!recorder.isComplete()) {
                recorder.begin();
                ours.runOnce();
                recorder.end();
            }
            return ProfileReport.of(recorder.profile(), conditions);
        }
    }

    private static void print(StepComparison.Result result, PrintWriter out) {
        Table times = new Table(Align.LEFT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT);
        times.row("", "ms", "spread", "images/s", "ours is", "first loss").rule();
        for (StepComparison.Contestant contestant : result.contestants()) {
            String ratio = result.comparisons().stream()
                    .filter(comparison -> comparison.peer() == contestant.imagesPerSecond())
                    .findFirst()
                    .map(comparison -> String.format(Locale.ROOT, "%.2f x", comparison.ratio()))
                    .orElse("");
            times.row(
                    contestant.name(),
                    String.format(Locale.ROOT, "%.1f", contestant.medianMilliseconds()),
                    String.format(Locale.ROOT, "%.1f %%", 100 * contestant.spread()),
                    String.format(Locale.ROOT, "%.2f", contestant.imagesPerSecond()),
                    ratio,
                    String.format(Locale.ROOT, "%.5f", contestant.firstLoss()));
        }
        times.print(out);
        StepComparison.Memory memory = result.memory();
        if (memory != null) {
            out.println();
            Comparison planned = memory.planned();
            Table table = new Table(Align.LEFT, Align.LEFT);
            table.row("memory planned", ByteCount.human(memory.plannedBytes()));
            table.row(
                    "resident set grew by",
                    String.format(
                            Locale.ROOT,
                            "%s, %+.1f %% of the plan",
                            ByteCount.human(memory.measuredBytes()),
                            memory.planErrorPercent()));
            table.row(
                    "the peer's by",
                    String.format(
                            Locale.ROOT,
                            "%s (%s): %.2f times our plan",
                            ByteCount.human(memory.peerBytes()),
                            memory.peer(),
                            planned.ratio()));
            table.print(out);
        }
    }

    private static void print(Report report, PrintWriter out) {
        Table table = new Table(Align.LEFT, Align.LEFT);
        table.row(
                "network",
                report.model() + " with " + report.activation() + ", images " + report.size() + " x " + report.size()
                        + ", batch size " + report.batchSize());
        table.row(
                "computed",
                report.precision() + (report.tf32() ? " with TF32" : "") + ", " + report.optimizer() + ", on "
                        + report.device() + " (" + report.deviceName() + ")");
        table.row(
                "step",
                String.format(
                        Locale.ROOT,
                        "%.2f ms, median of %d, interquartile range %.1f %%, fastest %.2f ms",
                        report.medianMilliseconds(),
                        report.steps(),
                        100 * report.spread(),
                        report.minMilliseconds()));
        table.row("images/s", String.format(Locale.ROOT, "%.1f", report.imagesPerSecond()));
        table.row("device memory", ByteCount.human(report.memoryBytes()));
        table.row("loss", report.loss() == null ? "not finite" : String.format(Locale.ROOT, "%.4f", report.loss()));
        table.print(out);
        if (report.profile() != null) {
            out.println();
            ProfileTable.print(report.profile(), out);
        }
    }
}
