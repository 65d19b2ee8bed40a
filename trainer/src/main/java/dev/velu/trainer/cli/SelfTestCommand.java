package dev.velu.trainer.cli;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.SelfTest;
import dev.velu.selftest.SpeedTest;
import dev.velu.selftest.VectorCases;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code velu selftest}. */
@Command(
        name = "selftest",
        sortOptions = false,
        abbreviateSynopsis = true,
        description = {
            "Checks that a device computes what it should, or how fast.",
            "Every operation is checked against float64 and every gradient against difference quotients; with"
                    + " --vectors, VeLU against a file of reference vectors. The last line is the verdict; the exit status"
                    + " is 1 if anything is outside its tolerance. With --perf, every operation is timed on sizes of real"
                    + " networks instead."
        },
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {
            "  velu selftest",
            "  velu selftest --device cpu --isa all --threads 3",
            "  velu selftest --vectors velu_vectors.json --json",
            "  velu selftest --device cuda --perf"
        })
final class SelfTestCommand implements Callable<Integer> {
    @Mixin
    DeviceOptions machine;

    @Option(
            names = "--isa",
            paramLabel = "I",
            description =
                    "Instruction set of the CPU kernels: auto for the best, baseline, avx2, avx512, or all for one"
                            + " after the other (default: ${DEFAULT-VALUE}).")
    String isa = "auto";

    @Option(
            names = "--vectors",
            paramLabel = "FILE",
            description = "Run the cases of this JSON file instead of the built-in checks.")
    Path vectors;

    @Option(
            names = "--perf",
            description =
                    "Time every operation: GB/s or GFLOP/s, and the share of what the device does at best, a copy and"
                            + " a large matrix product measured in the same run.")
    boolean perf;

    @Option(
            names = "--quick",
            description = "Run a few cases of each operation only, e.g. under a tool that slows the device down.")
    boolean quick;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Device on = machine.device(spec);
        List<Isa> sets = WrongUsage.unless(spec, () -> instructionSets(on));
        if (perf && (vectors != null || quick)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--perf has no use for " + (quick ? "--quick" : "--vectors") + "; give one of the two");
        }
        if (perf) {
            return speed(on, sets);
        }
        return vectors == null ? checks(on, sets) : vectors(on, sets);
    }

    private int checks(Device on, List<Isa> sets) {
        CheckReport report =
                new CheckReport(on, json ? null : spec.commandLine().getOut());
        for (Isa set : sets) {
            try (Context context = Context.open(on, machine.threads, set)) {
                SelfTest.run(context, quick, result -> report.add(set, result), omission -> report.add(set, omission));
            }
        }
        report.printNotRun();
        return conclude(report.verdict(), report.pass(), report.summary());
    }

    private int speed(Device on, List<Isa> sets) {
        PrintWriter out = spec.commandLine().getOut();
        SpeedReport report = new SpeedReport(on, json ? null : out);
        for (Isa set : sets) {
            try (Context context = Context.open(on, machine.threads, set)) {
                SpeedTest.run(
                        context,
                        limits -> report.add(set, limits),
                        measurement -> report.add(set, measurement),
                        omission -> report.add(set, omission));
            }
        }
        report.printEnd();
        if (json) {
            Json.print(out, report.summary());
        }
        return Main.DONE;
    }

    private int vectors(Device on, List<Isa> sets) throws IOException {
        VectorReport report =
                new VectorReport(on, json ? null : spec.commandLine().getOut());
        for (Isa set : sets) {
            try (Context context = Context.open(on, machine.threads, set)) {
                report.add(set, VectorCases.run(context, vectors));
            }
        }
        return conclude(report.verdict(), report.pass(), report.summary());
    }

    private int conclude(String verdict, boolean pass, Object summary) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, summary);
        } else {
            out.println(verdict);
        }
        if (!pass) {
            spec.commandLine().getErr().println("velu: " + verdict);
        }
        return pass ? Main.DONE : Main.FAILED;
    }

    private List<Isa> instructionSets(Device on) {
        if (isa.equals("all")) {
            return SelfTest.instructionSets(on);
        }
        return Arrays.stream(Isa.values())
                .filter(set -> label(set).equals(isa))
                .findFirst()
                .map(List::of)
                .orElseThrow(() -> new IllegalArgumentException("unknown instruction set '" + isa + "'; use one of "
                        + Arrays.stream(Isa.values())
                                .map(SelfTestCommand::label)
                                .collect(Collectors.joining(", "))
                        + ", all"));
    }

    /** As on the command line. */
    static String label(Isa set) {
        return set.name().toLowerCase(Locale.ROOT);
    }

    /** An error as a fraction of its tolerance. */
    static String fraction(double value) {
        return String.format(Locale.ROOT, value != 0 && value < 1e-3 ? "%.1e" : "%.3f", value);
    }
}
