package dev.velu.trainer.cli;

import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.VectorCases;
import dev.velu.selftest.VectorCases.CaseResult;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** The results of the cases of a file of VeLU reference vectors, printed as they come, and what they amount to. */
final class VectorReport {
    private static final String ROW = "%-10s %9s %9s %9s %9s  %-4s  %s";

    private final Device device;
    private final PrintWriter table;
    private final List<Line> lines = new ArrayList<>();

    /** One case as JSON; y, moments, dx, dlambda and worst are the worst errors as fractions of their tolerances. */
    record Line(
            String isa,
            String name,
            String implementation,
            double y,
            double moments,
            double dx,
            double dlambda,
            double worst,
            boolean pass,
            String detail) {}

    /** All cases as JSON. */
    record Summary(
            String device, boolean pass, int cases, int failed, double worst, String verdict, List<Line> results) {}

    /** @param table where each result is printed at once, or null */
    VectorReport(Device device, PrintWriter table) {
        this.device = device;
        this.table = table;
        row("kernels", "y/tol", "W2/tol", "dx/tol", "dl/tol", "ok", "case");
    }

    void add(Isa isa, VectorCases.Report report) {
        for (CaseResult result : report.cases()) {
            lines.add(new Line(
                    SelfTestCommand.label(isa),
                    result.name(),
                    report.implementation(),
                    result.y(),
                    result.moments(),
                    result.dx(),
                    result.dlambda(),
                    result.worst(),
                    result.pass(),
                    result.detail()));
            row(
                    report.implementation(),
                    SelfTestCommand.fraction(result.y()),
                    SelfTestCommand.fraction(result.moments()),
                    SelfTestCommand.fraction(result.dx()),
                    SelfTestCommand.fraction(result.dlambda()),
                    result.pass() ? "ok" : "FAIL",
                    FailureMessage.oneLine(result.name() + (result.pass() ? "" : ": " + result.detail())));
        }
    }

    private void row(String kernels, String y, String moments, String dx, String dlambda, String ok, String caseName) {
        if (table != null) {
            table.println(String.format(Locale.ROOT, ROW, kernels, y, moments, dx, dlambda, ok, caseName));
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
            return "the file holds no cases";
        }
        String farthest = ", worst " + SelfTestCommand.fraction(worst().worst()) + " of tolerance ("
                + FailureMessage.oneLine(worst().name()) + ")";
        return failed() == 0
                ? lines.size() + " cases within tolerance" + farthest
                : failed() + " of " + lines.size() + " cases outside tolerance" + farthest;
    }

    private Line worst() {
        return lines.stream().max(Comparator.comparingDouble(Line::worst)).orElseThrow();
    }

    Summary summary() {
        return new Summary(
                device.toString(),
                pass(),
                lines.size(),
                failed(),
                lines.isEmpty() ? 0 : worst().worst(),
                verdict(),
                List.copyOf(lines));
    }
}
