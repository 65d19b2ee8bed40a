package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.VeluException;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Runs trials on a device and reports their results; whatever a trial throws is a result too. */
final class Probe {
    private final Context context;
    private final Consumer<Result> report;

    Probe(Context context, Consumer<Result> report) {
        this.context = context;
        this.report = report;
    }

    Context context() {
        return context;
    }

    /** A trial of an operation whose implementation does not depend on a descriptor. */
    void trial(String operation, String caseName, Consumer<Trial> body) {
        trial(operation, caseName, MemorySegment.NULL, body);
    }

    /** @param desc the operation's descriptor, which chooses its implementation */
    void trial(String operation, String caseName, MemorySegment desc, Consumer<Trial> body) {
        String implementation = "unknown";
        Comparison comparison;
        try (Trial trial = new Trial(context)) {
            comparison = trial.comparison();
            try {
                implementation = context.implementation(operation, desc);
                body.accept(trial);
                trial.checkSentinels();
            } catch (VeluException | IllegalArgumentException | IllegalStateException e) {
                comparison.failure(e.getMessage());
            }
        }
        report.accept(new Result(
                operation,
                caseName,
                implementation,
                comparison.worstError(),
                comparison.worstTolerance(),
                comparison.pass(),
                comparison.detail()));
    }
}
