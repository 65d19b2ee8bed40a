package dev.velu.trainer.cli;

import dev.velu.selftest.Limits;
import dev.velu.tensor.DType;
import dev.velu.trainer.cli.Table.Align;
import dev.velu.trainer.profile.Conditions;
import dev.velu.trainer.profile.HostTime;
import dev.velu.trainer.profile.Line;
import dev.velu.trainer.profile.ProfileReport;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A profile for people: by operation, by layer, by phase, and what happens outside native code. */
final class ProfileTable {
    /** Layers shown by themselves; the others are one line together. */
    private static final int LAYERS = 20;

    private ProfileTable() {}

    static void print(ProfileReport profile, PrintWriter out) {
        Conditions conditions = profile.conditions();
        out.println(String.format(
                Locale.ROOT,
                "profile of %d steps: %s with %s, images %d x %d, batch size %d, %s%s, %s, on %s",
                profile.steps(),
                conditions.model(),
                conditions.activation(),
                conditions.size(),
                conditions.size(),
                conditions.batchSize(),
                conditions.precision(),
                conditions.tf32() ? " with TF32" : "",
                conditions.optimizer(),
                machine(conditions)));
        out.println("limits measured now: " + limits(conditions.limits()));
        out.println(String.format(
                Locale.ROOT,
                "step: %.2f ms, %.1f images/s; native calls %.2f ms, outside them %.3f ms = %.2f %%",
                profile.stepMilliseconds(),
                profile.imagesPerSecond(),
                profile.nativeMilliseconds(),
                profile.host().total(),
                100 * profile.host().share()));
        out.println();
        print("operation", profile.operations(), out);
        print("layer", layers(profile), out);
        print("phase", profile.phases(), out);
        printStep(profile, out);
        out.println();
        out.println(
                "ms: of one step, each call the median of the steps; what other work on the machine holds up now here and now"
                        + " there is above the medians. GB/s: bytes that must be moved, every operand once and"
                        + " again for a second pass that needs the first; scratch memory does not count. GF/s: multiplications and"
                        + " additions of convolutions and matrix products. %: of the limit measured. of limit: least time that the"
                        + " limits allow, over the time taken.");
    }

    private static String machine(Conditions conditions) {
        String name = conditions.deviceName().isEmpty() ? "" : " (" + conditions.deviceName() + ")";
        return conditions.device() + name + (conditions.threads() > 0 ? ", " + conditions.threads() + " threads" : "");
    }

    private static String limits(Limits limits) {
        StringBuilder text = new StringBuilder(
                String.format(Locale.ROOT, "memory %.1f GB/s read and written", limits.memoryBytesPerSecond() / 1e9));
        for (DType dtype : DType.values()) {
            Double flops = limits.flopsPerSecond().get(dtype);
            if (flops != null) {
                text.append(String.format(
                        Locale.ROOT,
                        ", products %.0f GFLOP/s in %s",
                        flops / 1e9,
                        dtype == DType.BF16 ? "bf16" : "fp32"));
            }
        }
        return text.toString();
    }

    /** The longest, and the others together. */
    private static List<Line> layers(ProfileReport profile) {
        List<Line> layers = profile.layers();
        if (layers.size() <= LAYERS + 1) {
            return layers;
        }
        List<Line> shown = new ArrayList<>(layers.subList(0, LAYERS));
        List<Line> rest = layers.subList(LAYERS, layers.size());
        shown.add(Line.together(rest.size() + " others", rest));
        return shown;
    }

    private static void print(String name, List<Line> lines, PrintWriter out) {
        Table table = new Table(
                Align.LEFT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT,
                Align.RIGHT);
        table.row(name, "calls", "ms", "of step", "GF/s", "%", "GB/s", "%", "of limit")
                .rule();
        for (Line line : lines) {
            boolean computes = line.gigaflops() > 0;
            table.row(
                    line.name(),
                    line.calls(),
                    String.format(Locale.ROOT, "%.3f", line.milliseconds()),
                    percent(line.share()),
                    computes ? number(line.gigaflops()) : "",
                    computes ? percent(line.gigaflopsShare()) : "",
                    number(line.gigabytesPerSecond()),
                    percent(line.gigabytesShare()),
                    percent(line.limitShare()));
        }
        table.print(out);
        out.println();
    }

    /** What the step is made of, line by line up to its median. */
    private static void printStep(ProfileReport profile, PrintWriter out) {
        HostTime host = profile.host();
        double aboveMedians = profile.nativeMilliseconds() - profile.callMilliseconds();
        Table table = new Table(Align.LEFT, Align.RIGHT, Align.RIGHT);
        table.row("step", "ms", "of step").rule();
        part(table, "native calls, medians together", profile.callMilliseconds(), profile);
        part(table, "native calls above their medians", aboveMedians, profile);
        part(table, "outside native calls", host.total(), profile);
        part(table, "  wait for the batch", host.batch(), profile);
        part(table, "  copy the batch to the device", host.copy(), profile);
        part(table, "  make the native calls", host.dispatch(), profile);
        part(table, "  read results, metrics, progress", host.results(), profile);
        part(table, "whole step", profile.stepMilliseconds(), profile);
        table.print(out);
    }

    private static void part(Table table, String name, double milliseconds, ProfileReport profile) {
        table.row(
                name,
                String.format(Locale.ROOT, "%.3f", milliseconds),
                String.format(Locale.ROOT, "%.2f %%", 100 * milliseconds / profile.stepMilliseconds()));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
    }

    private static String percent(double fraction) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * fraction);
    }
}
