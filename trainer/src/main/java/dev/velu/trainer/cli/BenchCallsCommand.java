package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.trainer.bench.CallBench;
import dev.velu.trainer.bench.CallBench.Cost;
import dev.velu.trainer.bench.CallBench.Effort;
import dev.velu.trainer.bench.Host;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.PeerModule;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code velu bench calls}. */
@Command(
        name = "calls",
        sortOptions = false,
        description = {
            "Times calls from Java into the native library.",
            "By the Foreign Function and Memory API, as a critical call, and by JNI as JavaCPP binds it."
                    + " velu_abi_version only returns a number; velu_velu_forward is of 16 elements."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu bench calls", "  velu bench calls --json"})
final class BenchCallsCommand implements Callable<Integer> {
    private static final Effort WHOLE = new Effort(9, 10, 100_000, 60);
    private static final Effort QUICK = new Effort(3, 3, 20_000, 20);

    @Option(
            names = "--peer",
            paramLabel = "P",
            description = "Whom to compare with: javacpp, or none (default: ${DEFAULT-VALUE}).")
    String peer = "javacpp";

    @Option(names = "--quick", description = "Fewer calls, for a first look.")
    boolean quick;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /** What is printed as JSON. */
    record Report(
            List<Comparison> comparisons,
            List<Cost> costs,
            String command,
            String version,
            Host machine,
            int rounds,
            String peerVersion) {}

    @Override
    public Integer call() {
        boolean compared = WrongUsage.unless(spec, () -> switch (peer) {
            case "javacpp" -> true;
            case "none" -> false;
            default -> throw new IllegalArgumentException("peer '" + peer + "' is unknown; use javacpp or none");
        });
        Effort effort = quick ? QUICK : WHOLE;
        Host host;
        try (Context context =
                Context.open(Device.cpu(), ContextOptions.defaults().withThreads(1))) {
            host = Host.of(context);
        }
        try (CallBench bench = new CallBench(compared ? PeerModule.find() : null, effort)) {
            CallBench.Result result = bench.measure();
            Report report = new Report(
                    result.comparisons(),
                    result.costs(),
                    "velu "
                            + String.join(
                                    " ", spec.commandLine().getParseResult().originalArgs()),
                    Version.number(),
                    host,
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

    private static void print(Report report, PrintWriter out) {
        out.println(report.machine().processor() + ", Java " + report.machine().java()
                + (report.peerVersion() == null ? "" : "; beside " + report.peerVersion()));
        out.println();
        Table table = new Table(Align.LEFT, Align.LEFT, Align.RIGHT, Align.RIGHT);
        table.row("function", "by", "ns a call", "spread");
        table.rule();
        for (Cost cost : report.costs()) {
            table.row(
                    cost.function(),
                    cost.way(),
                    String.format(Locale.ROOT, "%.1f", cost.nanoseconds()),
                    String.format(Locale.ROOT, "%.0f %%", 100 * cost.spread()));
        }
        table.print(out);
    }
}
