package dev.velu.trainer.cli;

import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;
import dev.velu.selftest.Limits;
import dev.velu.selftest.Measurement;
import dev.velu.selftest.NotRun;
import dev.velu.tensor.DType;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** How fast the operations of a device are, printed as they are measured. */
final class SpeedReport {
    private static final String ROW = "%-30s %-5s %-26s %10s %7s %12s %7s  %s";

    private final Device device;
    private final PrintWriter table;
    private final List<Best> limits = new ArrayList<>();
    private final List<Line> lines = new ArrayList<>();
    private final List<CheckReport.Omission> notRun = new ArrayList<>();

    /** What the device does at best; a product is null where it was not measured. */
    record Best(String isa, double copyGigabytesPerSecond, double fp32ProductGigaflops, Double bf16ProductGigaflops) {}

    /**
     * One measurement as JSON.
     *
     * @param spread interquartile range of the repetitions as a fraction of the median
     * @param limit {@code copy} or {@code product}: what the share is of
     */
    record Line(
            String isa,
            String operation,
            String dtype,
            String caseName,
            String implementation,
            double milliseconds,
            double spread,
            int repetitions,
            double gigabytesPerSecond,
            double gigaflops,
            String limit,
            double share) {}

    /** All of it as JSON. */
    record Summary(
            String device, String name, List<Best> limits, List<CheckReport.Omission> notRun, List<Line> results) {}

    /** @param table where each measurement is printed at once, or null */
    SpeedReport(Device device, PrintWriter table) {
        this.device = device;
        this.table = table;
    }

    void add(Isa isa, Limits best) {
        Best line = new Best(
                SelfTestCommand.label(isa),
                best.memoryBytesPerSecond() / 1e9,
                best.flopsPerSecond().get(DType.F32) / 1e9,
                best.flopsPerSecond().containsKey(DType.BF16)
                        ? best.flopsPerSecond().get(DType.BF16) / 1e9
                        : null);
        limits.add(line);
        if (table != null) {
            table.println(
                    "limits of " + device + " (" + DeviceInfo.query(device).name() + "), measured now: copy "
                            + number(line.copyGigabytesPerSecond()) + " GB/s read and written, matrix product "
                            + number(line.fp32ProductGigaflops()) + " GFLOP/s in fp32"
                            + (line.bf16ProductGigaflops() == null
                                    ? ""
                                    : ", " + number(line.bf16ProductGigaflops()) + " GFLOP/s in bf16"));
            table.println();
        }
        row("operation", "data", "implementation", "ms", "spread", "rate", "share", "case");
    }

    void add(Isa isa, Measurement m) {
        Line line = new Line(
                SelfTestCommand.label(isa),
                m.operation(),
                m.dtype() == DType.BF16 ? "bf16" : "fp32",
                m.caseName(),
                m.implementation(),
                m.milliseconds(),
                m.spread(),
                m.repetitions(),
                m.gigabytesPerSecond(),
                m.gigaflopsPerSecond(),
                m.memoryBound() ? "copy" : "product",
                m.share());
        lines.add(line);
        row(
                line.operation(),
                line.dtype(),
                line.implementation(),
                String.format(Locale.ROOT, "%.4f", line.milliseconds()),
                percent(line.spread()),
                m.memoryBound() ? number(line.gigabytesPerSecond()) + " GB/s" : number(line.gigaflops()) + " GF/s",
                percent(line.share()),
                line.caseName());
    }

    void add(Isa isa, NotRun omission) {
        notRun.add(new CheckReport.Omission(SelfTestCommand.label(isa), omission.what(), omission.reason()));
    }

    /** What the columns mean, and what was not measured. */
    void printEnd() {
        if (table == null) {
            return;
        }
        table.println();
        table.println(
                "ms: median of one call. spread: interquartile range over median. share: least time that the limits"
                        + " allow for the bytes and the arithmetic of the call, over the time taken.");
        notRun.forEach(omission ->
                table.println("not run: " + omission.what() + ": " + FailureMessage.oneLine(omission.reason())));
    }

    private void row(
            String operation,
            String dtype,
            String implementation,
            String milliseconds,
            String spread,
            String rate,
            String share,
            String caseName) {
        if (table != null) {
            table.println(String.format(
                    Locale.ROOT, ROW, operation, dtype, implementation, milliseconds, spread, rate, share, caseName));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
    }

    private static String percent(double fraction) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * fraction);
    }

    Summary summary() {
        return new Summary(
                device.toString(),
                DeviceInfo.query(device).name(),
                List.copyOf(limits),
                List.copyOf(notRun),
                List.copyOf(lines));
    }
}
