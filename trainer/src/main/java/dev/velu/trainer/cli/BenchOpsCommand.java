package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Optimizer;
import dev.velu.trainer.bench.Host;
import dev.velu.trainer.bench.OperationBench;
import dev.velu.trainer.bench.OperationBench.Case;
import dev.velu.trainer.bench.OperationBench.Measured;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.Rounds;
import dev.velu.trainer.run.RunConfiguration;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu bench ops}. */
@Command(
        name = "ops",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Times each operation of a training step beside libtorch's, on the CPU.",
            "Every distinct operation runs alone and on random tensors; where ours is fused, libtorch takes"
                    + " several functions. Sorted by what all calls of a step take."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu bench ops --model resnet50 --size 128 --batch-size 16",
            "  velu bench ops --model vit_b_16 --size 224 --batch-size 4 --quick --json"
        })
final class BenchOpsCommand implements Callable<Integer> {
    private static final Effort WHOLE = new Effort(5, 40);
    private static final Effort QUICK = new Effort(3, 5);

    @Mixin
    BenchedNetworkOptions network;

    @Option(names = "--batch-size", paramLabel = "B", description = "Images per step (default: ${DEFAULT-VALUE}).")
    int batchSize = 8;

    @Option(
            names = "--optimizer",
            paramLabel = "O",
            description = "sgd (with momentum), adam, adamw or nadam (default: ${DEFAULT-VALUE}).")
    String optimizer = "sgd";

    @Option(
            names = "--peer",
            paramLabel = "P",
            description = "Whom to compare with: djl (libtorch), or none (default: ${DEFAULT-VALUE}).")
    String peer = "djl";

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; 0 for all (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--quick", description = "Fewer and shorter turns, for a first look.")
    boolean quick;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    private record Effort(int rounds, double turn) {}

    /**
     * One operation as JSON.
     *
     * @param calls how often a step has it
     * @param milliseconds of one call, median
     * @param spread interquartile range as a fraction of the median
     * @param gigaflops a second; null for operations that are no convolution or matrix product
     * @param gigabytesPerSecond that must be read and written at least
     * @param libtorchMilliseconds null if libtorch was not asked or has nothing in its place
     */
    record Line(
            String operation,
            String shapes,
            int calls,
            double milliseconds,
            double spread,
            double millisecondsPerStep,
            Double gigaflops,
            double gigabytesPerSecond,
            Double libtorchMilliseconds,
            Double ratio) {
        static Line of(Measured measured) {
            Case operation = measured.operation();
            double milliseconds = measured.ours().median();
            Comparison comparison = measured.comparison();
            return new Line(
                    operation.operation().name(),
                    operation.shapes(),
                    operation.calls(),
                    milliseconds,
                    measured.ours().spread(),
                    measured.millisecondsPerStep(),
                    operation.flops() == 0 ? null : operation.flops() / milliseconds / 1e6,
                    operation.bytes() / milliseconds / 1e6,
                    comparison == null ? null : comparison.peer(),
                    comparison == null ? null : comparison.ratio());
        }
    }

    /**
     * What is printed as JSON.
     *
     * @param comparisons of all operations of a step together that both have, then of each
     * @param operations the most expensive first
     */
    record Report(
            List<Comparison> comparisons,
            List<Line> operations,
            String model,
            String activation,
            int size,
            int batchSize,
            String command,
            String version,
            Host machine,
            int rounds,
            String peerVersion) {}

    @Override
    public Integer call() {
        boolean compared = WrongUsage.unless(spec, () -> switch (peer) {
            case "djl" -> true;
            case "none" -> false;
            default -> throw new IllegalArgumentException("peer '" + peer + "' is unknown; use djl or none");
        });
        if (threads < 0 || threads > Context.MAX_THREADS) {
            throw new ParameterException(
                    spec.commandLine(),
                    "threads " + threads + " is outside 0.." + Context.MAX_THREADS + "; 0 uses all processors");
        }
        RunConfiguration settings =
                network.settings(spec, Map.of("optimizer", optimizer, "batch_size", batchSize, "device", "cpu"));
        NetworkSpec described = network.spec(spec, settings);
        Effort effort = quick ? QUICK : WHOLE;
        ContextOptions options = ContextOptions.defaults().withThreads(threads);
        List<Measured> measured = new ArrayList<>();
        try (Context context = Context.open(Device.cpu(), options);
                OperationBench bench = new OperationBench(
                        context, compared ? PeerModule.find() : null, new Rounds(effort.rounds()), effort.turn())) {
            for (Case operation : operations(settings, described, options)) {
                spec.commandLine()
                        .getErr()
                        .println("velu: measuring " + operation.operation().name() + " " + operation.shapes());
                measured.add(bench.measure(operation));
            }
            measured.removeIf(Objects::isNull);
            measured.sort(
                    Comparator.comparingDouble(Measured::millisecondsPerStep).reversed());
            Report report = new Report(
                    comparisons(measured),
                    measured.stream().map(Line::of).toList(),
                    settings.model(),
                    settings.activation(),
                    network.size,
                    batchSize,
                    "velu "
                            + String.join(
                                    " ", spec.commandLine().getParseResult().originalArgs()),
                    Version.number(),
                    Host.of(context),
                    effort.rounds(),
                    bench.version());
            if (json) {
                Json.print(spec.commandLine().getOut(), report);
            } else {
                print(report, spec.commandLine().getOut());
            }
        }
        return Main.DONE;
    }

    /** The operations of a step as they run: fused, and with their gradients. */
    private List<Case> operations(RunConfiguration settings, NetworkSpec described, ContextOptions options) {
        Parameters parameters = new Parameters();
        Network recorded = WrongUsage.unless(
                spec, () -> Network.build(described, parameters, batchSize, true, NormalizeImage.imageNet()));
        try (Context context = Context.open(Device.cpu(), options)) {
            parameters.allocate(context, true);
            Optimizer optimizing = new Optimizer(parameters, settings.algorithm(), settings.clip(), context);
            // What makes the step adds the gradients to the network's graph and fuses it.
            new TrainingStep(recorded, context, optimizing, settings.labelSmoothing()).close();
            return Stream.concat(
                            OperationBench.distinct(recorded.graph().nodes()).stream(),
                            Stream.of(OperationBench.update(settings.algorithm(), parameters.flatCount())))
                    .toList();
        }
    }

    private static List<Comparison> comparisons(List<Measured> measured) {
        List<Measured> both =
                measured.stream().filter(one -> one.libtorch() != null).toList();
        if (both.isEmpty()) {
            return List.of();
        }
        double ours = both.stream().mapToDouble(Measured::millisecondsPerStep).sum();
        double theirs = both.stream()
                .mapToDouble(one -> one.operation().calls() * one.libtorch().median())
                .sum();
        List<Comparison> comparisons = new ArrayList<>();
        comparisons.add(Comparison.smaller("all operations of a step vs libtorch", "ms", ours, theirs, null));
        both.forEach(one -> comparisons.add(one.comparison()));
        return comparisons;
    }

    private static void print(Report report, PrintWriter out) {
        out.println(report.model() + " with " + report.activation() + ", images " + report.size() + " x "
                + report.size() + ", batch size " + report.batchSize());
        out.println(report.machine().processor() + ", " + report.machine().threads() + " threads, "
                + report.machine().isa()
                + (report.peerVersion() == null ? "" : "; beside " + report.peerVersion()));
        out.println();
        Table table = new Table(
                Align.LEFT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.RIGHT, Align.LEFT);
        table.row("operation", "calls", "ms a call", "ms a step", "rate", "libtorch", "x", "shapes");
        table.rule();
        for (Line line : report.operations()) {
            table.row(
                    line.operation(),
                    line.calls(),
                    number(line.milliseconds()),
                    number(line.millisecondsPerStep()),
                    line.gigaflops() == null
                            ? number(line.gigabytesPerSecond()) + " GB/s"
                            : number(line.gigaflops()) + " GF/s",
                    line.libtorchMilliseconds() == null ? "-" : number(line.libtorchMilliseconds()),
                    line.ratio() == null ? "-" : number(line.ratio()),
                    line.shapes());
        }
        table.print(out);
        out.println();
        if (!report.comparisons().isEmpty()) {
            Comparison all = report.comparisons().getFirst();
            out.println(String.format(
                    Locale.ROOT,
                    "All that both have: ours %.1f ms a step, libtorch's functions %.1f ms, ratio %.2f.",
                    all.ours(),
                    all.peer(),
                    all.ratio()));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value < 1 ? "%.3f" : value < 100 ? "%.2f" : "%.0f", value);
    }
}
