package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.models.TrainingStep;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.profile.ProfileReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;

/** The steps of a run that are profiled, if any. */
final class ProfiledSteps {
    private final Path output;
    private final ProgressDisplay progress;
    private int wanted;
    private Consumer<ProfileReport> ready;
    /** While some steps are still to be profiled. */
    private StepProfiler profiler;

    ProfiledSteps(Path output, ProgressDisplay progress) {
        this.output = output;
        this.progress = progress;
    }

    /**
     * Asks for some.
     *
     * @param steps positive; of a shorter run all
     * @param report takes the report when the files are written
     */
    void request(int steps, Consumer<ProfileReport> report) {
        if (steps < 1) {
            throw new IllegalArgumentException("number of steps " + steps + " to profile is not positive");
        }
        wanted = steps;
        ready = report;
    }

    /** @param left steps that the run still has */
    void start(
            RunConfiguration configuration,
            int size,
            Context context,
            TrainingStep step,
            BatchPipeline data,
            long left) {
        if (wanted > 0) {
            profiler = new StepProfiler(
                    step,
                    data,
                    StepProfiler.conditions(configuration, size, context),
                    (int) Math.min(wanted, left),
                    left,
                    output);
        }
    }

    void begin() {
        if (profiler != null) {
            profiler.beginStep();
        }
    }

    void end(long globalStep) {
        if (profiler != null && profiler.endStep(globalStep)) {
            finish();
        }
    }

    /** Reports what is recorded, which is less than was asked for if the run stops. */
    void finish() {
        if (profiler == null) {
            return;
        }
        StepProfiler ended = profiler;
        profiler = null;
        try (ended) {
            ProfileReport report = ended.write();
            if (report != null) {
                progress.line("profiled " + report.steps() + " steps: " + output.resolve(StepProfiler.REPORT) + ", and "
                        + output.resolve(StepProfiler.TRACE) + " for https://ui.perfetto.dev");
                ready.accept(report);
            }
        } catch (IOException e) {
            throw new RunException("cannot write the profile to " + output + ": " + RunFolder.reason(e), e);
        }
    }
}
