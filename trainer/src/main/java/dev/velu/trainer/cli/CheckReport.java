package dev.velu.trainer.cli;

import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.NotRun;
import dev.velu.selftest.Result;
import dev.velu.tensor.DType;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** The results of the built-in checks, printed as they come, and what they amount to. */
final class CheckReport {
    private static final String ROW = "%-30s %-5s %-22s %9s  %-4s  %s";

    private final Device device;
    private final PrintWriter table;
    private final List<Line> lines = new ArrayList<>();
    private final List<Omission> notRun = new ArrayList<>();

    /**
     * One check as JSON.
     *
     * @param isa the instruction set that was asked for
     * @param dtype of the data, as on the command line: fp32 or bf16
     * @param fraction the worst error as a fraction of its tolerance
     */
    record Line(
            String isa,
            String operation,
            String dtype,
            String caseName,
            String implementation,
            double worstError,
            double tolerance,
            double fraction,
            boolean pass,
            String detail) {}

    /** Something that could not be checked as JSON, with the instruction set that was asked for. */
    record Omission(String isa, String what, String reason) {}

    /** All checks as JSON. */
    record Summary(
            String device,
            boolean pass,
            int checks,
            int failed,
            double worst,
            String verdict,
            List<Omission> notRun,
            List<Line> results) {}

    /** @param table where each result is printed at once, or null */
    CheckReport(Device device, PrintWriter table) {
        this.device = device;
        this.table = table;
    }

    void add(Isa isa, Result result) {
        if (lines.isEmpty()) {
            row("operation", "data", "implementation", "error/tol", "ok", "case");
        }
        lines.add(new Line(
                SelfTestCommand.label(isa),
                result.operation(),
                dtype(result),
                result.caseName(),
                result.implementation(),
                result.worstError(),
                result.tolerance(),
                result.fraction(),
                result.pass(),
                result.detail()));
        row(
                result.operation(),
                dtype(result),
                result.implementation(),
                SelfTestCommand.fraction(result.fraction()),
                result.pass() ? "ok" : "FAIL",
                result.caseName() + (result.pass() ? "" : ": " + FailureMessage.oneLine(result.detail())));
    }

    /** Something that could not be checked; it is printed at the end, with {@link #printNotRun}. */
    void add(Isa isa, NotRun omission) {
        notRun.add(new Omission(SelfTestCommand.label(isa), omission.what(), omission.reason()));
    }

    /** What could not be checked, each once, for all instruction sets. */
    void printNotRun() {
        if (table != null) {
            notRun.stream()
                    .map(omission -> "not run: " + omission.what() + ": " + FailureMessage.oneLine(omission.reason()))
                    .distinct()
                    .forEach(table::println);
        }
    }

    private static String dtype(Result result) {
        return result.dtype() == DType.BF16 ? "bf16" : "fp32";
    }

    private void row(
            String operation, String dtype, String implementation, String fraction, String ok, String caseName) {
        if (table != null) {
            table.println(String.format(Locale.ROOT, ROW, operation, dtype, implementation, fraction, ok, caseName));
        }
    }

    boolean pass() {
        return !lines.isEmpty() && failed() == 0;
    }

    private int failed() {
        return (int) lines.stream().filter(line -> !line.pass()).count();
    }

    String verdict() {
        if (lines.isEmpty()) {
            return "no checks were run";
        }
        Line worst = worst();
        String farthest =
                " (worst " + SelfTestCommand.fraction(worst.fraction()) + " of tolerance: " + worst.operation() + ", "
                        + worst.dtype() + ", " + worst.caseName() + ", " + worst.implementation() + ")";
        return failed() == 0
                ? "all " + lines.size() + " checks within tolerance" + farthest
                : failed() + " of " + lines.size() + " checks outside tolerance" + farthest;
    }

    private Line worst() {
        return lines.stream().max(Comparator.comparingDouble(Line::fraction)).orElseThrow();
    }

    Summary summary() {
        return new Summary(
                device.toString(),
                pass(),
                lines.size(),
                failed(),
                lines.isEmpty() ? 0 : worst().fraction(),
                verdict(),
                List.copyOf(notRun),
                List.copyOf(lines));
    }
}
