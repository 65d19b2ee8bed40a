package dev.velu.trainer.run;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.models.NetworkSpec.Precision;
import dev.velu.models.StepProfile;
import dev.velu.models.StepRecorder;
import dev.velu.models.TrainingStep;
import dev.velu.selftest.SpeedTest;
import dev.velu.tensor.DType;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.profile.Conditions;
import dev.velu.trainer.profile.DecodeLog;
import dev.velu.trainer.profile.ProfileReport;
import dev.velu.trainer.profile.ProfileTrace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Profiles some steps of a training run: lets the first ones pass, in which code is compiled and implementations are chosen,
 * then records call by call, and writes the profile into the run's folder.
 */
public final class StepProfiler implements AutoCloseable {
    /** The profile as JSON: {@link ProfileReport} and the times of every step. */
    public static final String REPORT = "profile.json";
    /** The profile as a trace, see {@link ProfileTrace}. */
    public static final String TRACE = "profile-trace.json";

    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();
    private static final int WARM_UP = 5;

    private final TrainingStep step;
    private final BatchPipeline pipeline;
    private final Conditions conditions;
    private final int steps;
    private final Path folder;
    private final DecodeLog decoding = new DecodeLog();
    private long toPass;
    private long firstStep;
    private StepRecorder recorder;

    /**
     * A step as {@code profile.json} has it.
     *
     * @param step number in the run, from 1
     * @param milliseconds from the request for its batch to its results read
     * @param nativeMilliseconds of its native calls together
     * @param callMilliseconds of each native call, in the order of {@link ProfileReport#calls}
     */
    record RecordedStep(long step, double milliseconds, double nativeMilliseconds, List<Double> callMilliseconds) {}

    /** What {@code profile.json} holds. */
    record ProfileFile(ProfileReport profile, List<RecordedStep> steps) {}

    /**
     * @param steps to record, positive
     * @param left steps that the run still has, at least as many; the recording begins earlier if they are few
     * @param folder for the files
     */
    StepProfiler(TrainingStep step, BatchPipeline pipeline, Conditions conditions, int steps, long left, Path folder) {
        this.step = step;
        this.pipeline = pipeline;
        this.conditions = conditions;
        this.steps = steps;
        this.folder = folder;
        toPass = Math.min(WARM_UP, left - steps);
    }

    /**
     * What a run's steps are profiled under. Measures the limits of the device, which takes a second or two.
     *
     * @param size height and width of the images
     */
    public static Conditions conditions(RunConfiguration settings, int size, Context context) {
        Device device = context.device();
        Precision precision = Precision.named(settings.precision());
        return new Conditions(
                settings.model(),
                settings.activation(),
                precision.label(),
                settings.tf32(),
                settings.optimizer(),
                device.toString(),
                DeviceInfo.query(device).name(),
                device.kind() == Device.Kind.CPU ? context.threads() : 0,
                size,
                settings.batchSize(),
                SpeedTest.limits(
                        context, precision == Precision.BF16 ? List.of(DType.F32, DType.BF16) : List.of(DType.F32)));
    }

    /** The run asks for the batch of its next step. */
    void beginStep() {
        if (toPass == 0) {
            if (recorder == null) {
                recorder = step.record(steps);
                pipeline.decodeListener(decoding);
            }
            recorder.begin();
        }
    }

    /**
     * The run has booked the results of a step.
     *
     * @param number of the step in the run, from 0
     * @return whether all steps are recorded
     */
    boolean endStep(long number) {
        if (toPass > 0) {
            toPass--;
            return false;
        }
        if (recorder.steps() == 0) {
            firstStep = number;
        }
        recorder.end();
        return recorder.isComplete();
    }

    /** Writes the files; null if no step is recorded yet. */
    ProfileReport write() throws IOException {
        if (recorder == null || recorder.steps() == 0) {
            return null;
        }
        StepProfile profile = recorder.profile();
        ProfileReport report = ProfileReport.of(profile, conditions);
        List<RecordedStep> recorded = new ArrayList<>();
        for (StepProfile.Step each : profile.steps()) {
            List<Double> calls = new ArrayList<>();
            for (int i = 0; i < profile.calls().size(); i++) {
                calls.add(each.callNanos(i) / 1e6);
            }
            recorded.add(new RecordedStep(
                    firstStep + recorded.size() + 1, each.nanos() / 1e6, each.nativeNanos() / 1e6, calls));
        }
        WholeFile.write(folder.resolve(REPORT), JSON.writeValueAsString(new ProfileFile(report, recorded)) + "\n");
        WholeFile.write(
                folder.resolve(TRACE),
                out -> ProfileTrace.write(out, profile, conditions, firstStep, decoding.spans()));
        return report;
    }

    /** The run goes on unprofiled. */
    @Override
    public void close() {
        pipeline.decodeListener(null);
        if (recorder != null) {
            recorder.close();
        }
    }
}
