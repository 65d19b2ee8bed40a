package dev.velu.trainer.profile;

import dev.velu.graph.PlannedCall;
import dev.velu.models.StepProfile;
import dev.velu.selftest.Limits;
import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * Where the time of a training step goes.
 *
 * @param steps recorded
 * @param stepMilliseconds from the request for a batch to the results read, median
 * @param imagesPerSecond at the median
 * @param nativeMilliseconds of the native calls of a step together, median
 * @param callMilliseconds medians of all native calls added up: less than nativeMilliseconds where other work on the machine
 *     holds up now one call and now another
 * @param host time outside native calls
 * @param phases forward, backward and optimizer, in this order
 * @param operations by name, the longest first
 * @param layers by name, the longest first; the network itself has the name {@link #NETWORK}
 * @param calls in the order of the step
 */
public record ProfileReport(
        Conditions conditions,
        int steps,
        double stepMilliseconds,
        double imagesPerSecond,
        double nativeMilliseconds,
        double callMilliseconds,
        HostTime host,
        List<Line> phases,
        List<Line> operations,
        List<Line> layers,
        List<CallLine> calls) {
    /** Name of the layer of calls that belong to no module. */
    public static final String NETWORK = "(network)";

    private static final double NANOS_PER_MILLI = 1e6;

    /**
     * Sums up what was recorded.
     *
     * @throws IllegalArgumentException if no step was recorded
     */
    public static ProfileReport of(StepProfile profile, Conditions conditions) {
        if (profile.steps().isEmpty()) {
            throw new IllegalArgumentException("no step was recorded; record one at least");
        }
        Reckoning reckoning = new Reckoning(profile, conditions.limits());
        double step = reckoning.median(StepProfile.Step::nanos);
        double host = reckoning.median(s -> s.nanos() - s.nativeNanos());
        return new ProfileReport(
                conditions,
                profile.steps().size(),
                step,
                1e3 * conditions.batchSize() / step,
                reckoning.median(StepProfile.Step::nativeNanos),
                reckoning.callMilliseconds(),
                new HostTime(
                        reckoning.median(s -> s.submitted() - s.begin()),
                        reckoning.median(s -> s.copied() - s.submitted()),
                        reckoning.median(s -> s.computed() - s.copied() - s.nativeNanos()),
                        reckoning.median(s -> s.end() - s.computed()),
                        host,
                        host / step),
                reckoning.lines(step, call -> label(call.phase()), false),
                reckoning.lines(step, PlannedCall::operation, true),
                reckoning.lines(step, ProfileReport::layer, true),
                reckoning.callLines());
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    static String layer(PlannedCall call) {
        return call.scope().isEmpty() ? NETWORK : call.scope();
    }

    private static String label(DType dtype) {
        return dtype == DType.BF16 ? "bf16" : "fp32";
    }

    /** What the lines are summed from. */
    private static final class Reckoning {
        private final StepProfile profile;
        private final Limits limits;
        /** Median of each call, in nanoseconds. */
        private final double[] nanos;

        Reckoning(StepProfile profile, Limits limits) {
            this.profile = profile;
            this.limits = limits;
            nanos = new double[profile.calls().size()];
            Arrays.setAll(nanos, i -> middle(sorted(s -> s.callNanos(i))));
        }

        private long[] sorted(ToLongFunction<StepProfile.Step> value) {
            return profile.steps().stream().mapToLong(value).sorted().toArray();
        }

        private static double middle(long[] sorted) {
            int half = sorted.length / 2;
            return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2.0;
        }

        /** Median over the steps, in milliseconds. */
        double median(ToLongFunction<StepProfile.Step> value) {
            return middle(sorted(value)) / NANOS_PER_MILLI;
        }

        double callMilliseconds() {
            return Arrays.stream(nanos).sum() / NANOS_PER_MILLI;
        }

        List<Line> lines(double stepMilliseconds, Function<PlannedCall, String> group, boolean longestFirst) {
            Map<String, Sum> sums = new LinkedHashMap<>();
            for (int i = 0; i < nanos.length; i++) {
                PlannedCall call = profile.calls().get(i);
                sums.computeIfAbsent(group.apply(call), name -> new Sum()).add(call, nanos[i]);
            }
            List<Line> lines = new ArrayList<>();
            sums.forEach((name, sum) -> lines.add(sum.line(name, stepMilliseconds)));
            if (longestFirst) {
                lines.sort(Comparator.comparingDouble(Line::milliseconds).reversed());
            }
            return List.copyOf(lines);
        }

        List<CallLine> callLines() {
            List<CallLine> lines = new ArrayList<>();
            for (int i = 0; i < nanos.length; i++) {
                int call = i;
                PlannedCall planned = profile.calls().get(i);
                long[] sorted = sorted(s -> s.callNanos(call));
                lines.add(new CallLine(
                        planned.operation(),
                        planned.scope(),
                        label(planned.phase()),
                        label(planned.dtype()),
                        types(planned.inputs()),
                        types(planned.outputs()),
                        planned.bytes(),
                        planned.flops(),
                        nanos[i] / NANOS_PER_MILLI,
                        sorted[0] / NANOS_PER_MILLI,
                        sorted[sorted.length - 1] / NANOS_PER_MILLI,
                        ratio(1e9 * limits.seconds(planned.dtype(), planned.bytes(), planned.flops()), nanos[i])));
            }
            return lines;
        }

        /** Several calls together. */
        private final class Sum {
            private int calls;
            private double nanos;
            private double flops;
            private double bytes;
            /** Least seconds for the arithmetic alone, and for whichever of arithmetic and memory takes longer. */
            private double arithmetic;

            private double least;

            void add(PlannedCall call, double callNanos) {
                calls++;
                nanos += callNanos;
                flops += call.flops();
                bytes += call.bytes();
                arithmetic += limits.seconds(call.dtype(), 0, call.flops());
                least += limits.seconds(call.dtype(), call.bytes(), call.flops());
            }

            Line line(String name, double stepMilliseconds) {
                return new Line(
                        name,
                        calls,
                        nanos / NANOS_PER_MILLI,
                        nanos / NANOS_PER_MILLI / stepMilliseconds,
                        ratio(flops, nanos),
                        ratio(1e9 * arithmetic, nanos),
                        ratio(bytes, nanos),
                        ratio(1e9 * limits.seconds(DType.F32, bytes, 0), nanos),
                        ratio(1e9 * least, nanos));
            }
        }
    }

    /** The types of operands as text, e.g. {@code F32 [16, 56, 56, 64]}; null where one is absent. */
    static List<String> types(List<TensorType> types) {
        List<String> texts = new ArrayList<>();
        types.forEach(type -> texts.add(type == null ? null : type.toString()));
        return texts;
    }

    /** A rate; 0 where the clock saw no time pass. */
    private static double ratio(double value, double nanos) {
        return nanos > 0 ? value / nanos : 0;
    }
}
