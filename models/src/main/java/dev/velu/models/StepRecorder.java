package dev.velu.models;

import dev.velu.graph.CallTimes;
import dev.velu.graph.Plan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Takes down when each native call of some training steps began and ended; made by {@link TrainingStep#record}. Around each
 * step the caller says where it begins and ends:
 * <pre>{@code
 * StepRecorder recorder = step.record(10);
 * while (!recorder.isComplete()) {
 *     recorder.begin();
 *     // wait for a batch
 *     step.run(images, labels, learningRate);
 *     // read the results
 *     recorder.end();
 * }
 * StepProfile profile = recorder.profile();
 * }</pre>
 *
 * <p>A recorded step computes what any other does. On CUDA its calls are made one by one and it is done when
 * {@link TrainingStep#submit} returns, so steps do not overlap and take longer. Memory is laid out beforehand: recording
 * allocates nothing on the CPU.
 */
public final class StepRecorder implements AutoCloseable {
    private final Plan plan;
    private final CallTimes times;
    private final Row[] rows;
    private int complete;
    private boolean closed;

    /** One step as it is recorded. */
    private static final class Row {
        long begin;
        long submitted;
        long copied;
        long computed;
        long end;
        final long[] callBegins;
        final long[] callEnds;

        Row(int calls) {
            callBegins = new long[calls];
            callEnds = new long[calls];
        }

        StepProfile.Step toStep() {
            return new StepProfile.Step(begin, submitted, copied, computed, end, list(callBegins), list(callEnds));
        }

        private static List<Long> list(long[] values) {
            return Arrays.stream(values).boxed().toList();
        }
    }

    StepRecorder(Plan plan, int steps) {
        if (steps < 1) {
            throw new IllegalArgumentException("number of steps " + steps + " to record is not positive");
        }
        this.plan = plan;
        times = plan.callTimes();
        rows = new Row[steps];
        Arrays.setAll(rows, i -> new Row(plan.size()));
    }

    /**
     * The next step begins: its batch is asked for.
     *
     * @throws IllegalStateException if all steps are recorded
     */
    public void begin() {
        if (isComplete()) {
            throw new IllegalStateException("all " + rows.length + " steps are recorded; record anew for more");
        }
        rows[complete].begin = System.nanoTime();
    }

    /** The batch is there and the step given to the plan. */
    void submitted() {
        rows[complete].submitted = System.nanoTime();
    }

    /** Runs the plan, whose inputs are on their way, whole or only its part. */
    void run(boolean whole) {
        Row row = rows[complete];
        row.copied = System.nanoTime();
        if (whole) {
            plan.run(times);
        } else {
            plan.runPart(times);
        }
        row.computed = System.nanoTime();
    }

    /**
     * The step is over, its results were read.
     *
     * @throws IllegalStateException if none was submitted since {@link #begin}
     */
    public void end() {
        Row row = isComplete() ? null : rows[complete];
        if (row == null || row.computed == 0 || row.computed < row.begin) {
            throw new IllegalStateException("no step was submitted since it began; submit one before it ends");
        }
        row.end = System.nanoTime();
        for (int i = 0; i < times.size(); i++) {
            row.callBegins[i] = times.begin(i);
            row.callEnds[i] = times.end(i);
        }
        complete++;
    }

    /** Whether all steps are recorded; those that follow are not. */
    public boolean isComplete() {
        return complete == rows.length;
    }

    /** Whether the next step is to be recorded. */
    boolean isActive() {
        return !closed && !isComplete();
    }

    /** Steps recorded so far. */
    public int steps() {
        return complete;
    }

    /** What was recorded so far. */
    public StepProfile profile() {
        List<StepProfile.Step> steps = new ArrayList<>();
        for (Row row : rows) {
            if (steps.size() < complete) {
                steps.add(row.toStep());
            }
        }
        return new StepProfile(plan.calls(), steps);
    }

    /** Stops recording and releases the events it has on a GPU. Closing twice is allowed. */
    @Override
    public void close() {
        closed = true;
        times.close();
    }
}
