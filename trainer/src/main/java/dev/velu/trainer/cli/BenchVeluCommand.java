package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.op.VeluParameters;
import dev.velu.trainer.bench.ActivationBench;
import dev.velu.trainer.bench.ActivationBench.Case;
import dev.velu.trainer.bench.ActivationBench.Constants;
import dev.velu.trainer.bench.ActivationBench.Effort;
import dev.velu.trainer.bench.ActivationBench.Peer;
import dev.velu.trainer.bench.ActivationBench.PointwiseCase;
import dev.velu.trainer.bench.ActivationBench.Rate;
import dev.velu.trainer.bench.Host;
import dev.velu.trainer.bench.Matrix;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.PeerModule;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu bench velu}. */
@Command(
        name = "velu",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Times VeLU beside a copy of the same memory and other ways to compute it, on the CPU.",
            "VeLU with its Wasserstein-2 distance, forward and with the backward pass; libtorch with VeLU"
                    + " composed of its operations; VeLU fused in Java with the Vector API; GELU and SiLU stand by. All"
                    + " take turns, so what else the machine does falls on all alike. Rates count the bytes that must be"
                    + " read and written: 8 an element forward, 20 with backward. Takes about two minutes."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu bench velu", "  velu bench velu --quick --shapes 6272x512 --constants released --json"})
final class BenchVeluCommand implements Callable<Integer> {
    private static final Map<String, VeluParameters> CONSTANTS =
            Map.of("released", VeluParameters.released(), "curve", VeluParameters.curve());
    private static final Map<String, Peer> PEERS = Map.of("djl", Peer.LIBTORCH, "vector-api", Peer.VECTOR_API);
    private static final Effort WHOLE = new Effort(7, 60, 800);
    private static final Effort QUICK = new Effort(3, 10, 100);

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "RxC",
            description =
                    "Rows and channels, separated by commas (default: ${DEFAULT-VALUE}: ResNet-50's at 224 pixels, batch"
                            + " size 32).")
    List<String> shapes = List.of("100352x64", "25088x256", "6272x512", "1568x2048");

    @Option(
            names = "--constants",
            split = ",",
            paramLabel = "C",
            description =
                    "Constants of VeLU: released, and curve (alpha 2, beta1 1, beta2 0.7), whose clip most rows reach"
                            + " (default: ${DEFAULT-VALUE}).")
    List<String> constants = List.of("released", "curve");

    @Option(
            names = "--peer",
            split = ",",
            paramLabel = "P",
            description = "Whom to compare with beside the copy: djl (libtorch), vector-api, or none (default:"
                    + " ${DEFAULT-VALUE}).")
    List<String> peers = List.of("djl", "vector-api");

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; 0 for all (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--quick", description = "Fewer and shorter turns, for a first look.")
    boolean quick;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /**
     * What is printed as JSON.
     *
     * @param rates what everybody reached
     * @param rounds turns that everybody had
     * @param versions of the peers
     */
    record Report(
            List<Comparison> comparisons,
            List<Rate> rates,
            String command,
            String version,
            Host machine,
            int rounds,
            List<String> versions) {}

    @Override
    public Integer call() {
        List<Matrix> matrices =
                WrongUsage.unless(spec, () -> shapes.stream().map(Matrix::parse).toList());
        List<Constants> sets = WrongUsage.unless(
                spec,
                () -> constants.stream()
                        .map(name -> new Constants(name, named("constants", CONSTANTS, name)))
                        .toList());
        List<Peer> others = WrongUsage.unless(
                spec,
                () -> peers.equals(List.of("none"))
                        ? List.of()
                        : peers.stream()
                                .map(name -> named("peer", PEERS, name))
                                .distinct()
                                .toList());
        if (threads < 0 || threads > Context.MAX_THREADS) {
            throw new ParameterException(
                    spec.commandLine(),
                    "threads " + threads + " is outside 0.." + Context.MAX_THREADS + "; 0 uses all processors");
        }
        Effort effort = quick ? QUICK : WHOLE;
        PrintWriter err = spec.commandLine().getErr();
        List<Case> cases = new ArrayList<>();
        List<PointwiseCase> pointwise = new ArrayList<>();
        try (Context context =
                        Context.open(Device.cpu(), ContextOptions.defaults().withThreads(threads));
                ActivationBench bench = new ActivationBench(
                        context,
                        others.isEmpty() ? null : PeerModule.find(),
                        others,
                        effort,
                        what -> err.println("velu: measuring " + what))) {
            for (Matrix shape : matrices) {
                bench.measure(shape, sets, cases::add, pointwise::add);
            }
            Report report = new Report(
                    comparisons(cases, pointwise),
                    Stream.concat(
                                    cases.stream().flatMap(measured -> measured.rates().stream()),
                                    pointwise.stream().flatMap(measured -> measured.rates().stream()))
                            .toList(),
                    "velu "
                            + String.join(
                                    " ", spec.commandLine().getParseResult().originalArgs()),
                    Version.number(),
                    Host.of(context),
                    effort.rounds(),
                    bench.versions());
            PrintWriter out = spec.commandLine().getOut();
            if (json) {
                Json.print(out, report);
            } else {
                print(report, cases, pointwise, out);
            }
        }
        return Main.DONE;
    }

    private static <T> T named(String what, Map<String, T> known, String name) {
        T value = known.get(name);
        if (value == null) {
            throw new IllegalArgumentException(what + " '" + name + "' is unknown; use "
                    + String.join(" or ", known.keySet().stream().sorted().toList()));
        }
        return value;
    }

    private static List<Comparison> comparisons(List<Case> cases, List<PointwiseCase> pointwise) {
        Stream<Comparison> velu = cases.stream()
                .flatMap(measured -> Stream.concat(
                        Stream.of(measured.withCopy()),
                        Arrays.stream(Peer.values()).map(measured::with)));
        return Stream.concat(velu, pointwise.stream().map(PointwiseCase::comparison))
                .filter(Objects::nonNull)
                .toList();
    }

    private static void print(Report report, List<Case> cases, List<PointwiseCase> pointwise, PrintWriter out) {
        out.println(report.machine().processor() + ", " + report.machine().threads() + " threads, "
                + report.machine().isa() + ", Java " + report.machine().java());
        report.versions().forEach(version -> out.println("beside " + version));
        Table table = new Table(
                Align.LEFT,
                Align.LEFT,
                Align.LEFT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT);
        out.println();
        table.row(
                "VeLU", "constants", "pass", "GB/s", "copy", "x copy", "libtorch", "x libt.", "Vector API", "x V. API");
        table.rule();
        for (Case measured : cases) {
            List<Object> row = new ArrayList<>(List.of(
                    measured.shape(),
                    measured.constants().name(),
                    measured.pass().label()));
            row.add(rate(measured.gigabytesPerSecond()));
            for (Comparison comparison :
                    Arrays.asList(measured.withCopy(), measured.with(Peer.LIBTORCH), measured.with(Peer.VECTOR_API))) {
                row.add(comparison == null ? "-" : rate(comparison.peer()));
                row.add(comparison == null ? "-" : ratio(comparison.ratio()));
            }
            table.row(row.toArray());
        }
        table.print(out);
        out.println();
        Table others = new Table(Align.LEFT, Align.LEFT, Align.LEFT, Align.RIGHT, Align.RIGHT, Align.RIGHT);
        others.row("other", "", "pass", "GB/s", "libtorch", "x libt.");
        others.rule();
        for (PointwiseCase measured : pointwise) {
            Comparison comparison = measured.comparison();
            others.row(
                    measured.shape(),
                    measured.function().label(),
                    measured.pass().label(),
                    rate(measured.gigabytesPerSecond()),
                    comparison == null ? "-" : rate(comparison.peer()),
                    comparison == null ? "-" : ratio(comparison.ratio()));
        }
        others.print(out);
        out.println();
        out.println("GB/s: bytes that must be read and written over the median time of " + report.rounds()
                + " rounds. x: ours over theirs.");
    }

    private static String rate(double gigabytesPerSecond) {
        return String.format(Locale.ROOT, gigabytesPerSecond < 10 ? "%.2f" : "%.1f", gigabytesPerSecond);
    }

    private static String ratio(double ratio) {
        return String.format(Locale.ROOT, "%.2f", ratio);
    }
}
