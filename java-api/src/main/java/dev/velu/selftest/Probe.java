package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Runs trials on a device and reports their results; whatever a trial throws is a result too, but for an operation that
 * says it does not compute in BF16: that is reported as not run.
 */
final class Probe {
    private final Context context;
    private final DType dtype;
    private final boolean quick;
    private final Consumer<Result> report;
    private final Consumer<NotRun> notRun;
    private final Set<NotRun> known = new HashSet<>();
    private final Map<String, Integer> trials = new HashMap<>();

    /**
     * @param dtype of the trials' data, F32 or BF16
     * @param quick whether to run a few of each operation's trials only
     */
    Probe(Context context, DType dtype, boolean quick, Consumer<Result> report, Consumer<NotRun> notRun) {
        this.context = context;
        this.dtype = dtype;
        this.quick = quick;
        this.report = report;
        this.notRun = notRun;
    }

    Context context() {
        return context;
    }

    DType dtype() {
        return dtype;
    }

    /** The values as the trials' data type holds them, rounded to nearest. */
    float[] data(float[] values) {
        if (dtype == DType.F32) {
            return values;
        }
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            rounded[i] = BFloat16.round(values[i]);
        }
        return rounded;
    }

    /** Reports what cannot be run, once. */
    void notRun(String what, String reason) {
        NotRun entry = new NotRun(what, reason);
        if (known.add(entry)) {
            notRun.accept(entry);
        }
    }

    /** A trial of an operation whose implementation does not depend on a descriptor. */
    void trial(String operation, String caseName, Consumer<Trial> body) {
        trial(operation, caseName, MemorySegment.NULL, body);
    }

    /** @param desc the operation's descriptor, which chooses its implementation */
    void trial(String operation, String caseName, MemorySegment desc, Consumer<Trial> body) {
        run(operation, caseName, () -> context.implementation(operation, desc), body);
    }

    /** A trial of something that is no operation, such as a stream. */
    void trialOfDevice(String what, String caseName, Consumer<Trial> body) {
        run(what, caseName, () -> context.device().kind().name().toLowerCase(Locale.ROOT), body);
    }

    private void run(String operation, String caseName, Supplier<String> implementationName, Consumer<Trial> body) {
        int number = trials.merge(operation, 1, Integer::sum);
        // The first, second, fourth, eighth...: spread over all kinds of cases.
        if (quick && Integer.bitCount(number) != 1) {
            return;
        }
        String implementation = "unknown";
        Comparison comparison;
        try (Trial trial = new Trial(context, dtype)) {
            comparison = trial.comparison();
            try {
                implementation = implementationName.get();
                body.accept(trial);
                trial.checkSentinels();
            } catch (VeluException e) {
                if (dtype == DType.BF16 && e.status() == Status.UNSUPPORTED) {
                    notRun(operation + " in BF16", e.getMessage());
                    return;
                }
                comparison.failure(e.getMessage());
            } catch (IllegalArgumentException | IllegalStateException e) {
                comparison.failure(e.getMessage());
            }
        }
        report.accept(new Result(
                operation,
                dtype,
                caseName,
                implementation,
                comparison.worstError(),
                comparison.worstTolerance(),
                comparison.pass(),
                comparison.detail()));
    }
}
