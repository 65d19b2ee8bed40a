package dev.velu.models;

import static dev.velu.device.Stream.COMPUTE;
import static dev.velu.device.Stream.TRANSFER;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Event;
import dev.velu.device.VeluException;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.optim.Optimizer;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Takes batches to a plan and its results back without the device ever waiting for the host.
 *
 * <p>On the CPU a batch is copied straight into the plan's inputs, and its step is done when {@link #submit} returns. On CUDA two
 * steps may be under way: while one computes, the batch of the next is copied beside it into device memory of its own, from
 * where the plan's inputs are filled when their turn comes; results are copied to page-locked memory and read when the host
 * asks for them. Memory is laid out once; a step allocates nothing.
 */
final class StepPipeline implements AutoCloseable {
    private static final int CAPACITY_ON_CUDA = 2;

    private final Context context;
    private final Plan plan;
    /** What a batch consists of: images, labels, and of a plan for mixed labels the second labels and the shares. */
    private final MemorySegment[] inputs;

    private final StepSetting[] settings;
    private final MemorySegment results;
    private final boolean staged;
    private final Slot[] slots;
    /** The batch that is being submitted. */
    private final MemorySegment[] batch;

    private Slot awaited;
    /** Times the steps, or null. */
    private StepRecorder recorder;

    private int oldest;
    private int inFlight;

    /** What one step under way has to itself. All but results and settings only where batches are staged. */
    private final class Slot {
        final MemorySegment[] settingsOnHost = new MemorySegment[settings.length];
        final MemorySegment[] stagedInputs = new MemorySegment[inputs.length];
        MemorySegment resultsOnHost;
        Event uploaded;
        Event done;

        void allocate() {
            resultsOnHost = context.allocateHost(results.byteSize());
            for (int i = 0; i < settings.length; i++) {
                settingsOnHost[i] = context.allocateHost(settings[i].device().byteSize());
            }
            if (staged) {
                for (int i = 0; i < inputs.length; i++) {
                    stagedInputs[i] = context.allocate(inputs[i].byteSize());
                }
                uploaded = Event.create(context);
                done = Event.create(context);
            }
        }

        void close() {
            Stream.concat(Stream.of(settingsOnHost), Stream.ofNullable(resultsOnHost))
                    .filter(Objects::nonNull)
                    .forEach(context::freeHost);
            Stream.of(stagedInputs).filter(Objects::nonNull).forEach(context::free);
            Stream.of(uploaded, done).filter(Objects::nonNull).forEach(Event::close);
        }
    }

    /**
     * @param plan with the inputs {@link Network#IMAGES} and {@link TrainingGraph#LABELS}, and maybe {@link Network#STEP}
     * @param optimizer whose learning rates each step sets, or null
     * @throws VeluException if memory is exhausted; says how much is needed
     */
    StepPipeline(Plan plan, Context context, Optimizer optimizer) {
        this(plan, context, StepSetting.of(plan, optimizer));
    }

    /**
     * @param plan with the inputs {@link Network#IMAGES} and {@link TrainingGraph#LABELS}, and maybe those of mixed labels
     * @param settings what each step sets
     * @throws VeluException if memory is exhausted; says how much is needed
     */
    StepPipeline(Plan plan, Context context, List<StepSetting> settings) {
        this.context = context;
        this.plan = plan;
        this.settings = settings.toArray(StepSetting[]::new);
        inputs = Stream.of(Network.IMAGES, TrainingGraph.LABELS, TrainingGraph.OTHER_LABELS, TrainingGraph.LABEL_SHARES)
                .filter(plan::hasInput)
                .map(plan::input)
                .toArray(MemorySegment[]::new);
        batch = new MemorySegment[inputs.length];
        results = plan.resultMemory();
        staged = stages(context);
        slots = new Slot[staged ? CAPACITY_ON_CUDA : 1];
        Arrays.setAll(slots, i -> new Slot());
        try {
            for (Slot slot : slots) {
                slot.allocate();
            }
        } catch (VeluException e) {
            close();
            long bytes = Stream.of(inputs).mapToLong(MemorySegment::byteSize).sum();
            throw e.ifOutOfMemory("batches on their way to the device need "
                    + Math.ceilDiv(slots.length * bytes, 1 << 20) + " MiB; use a smaller batch or image size");
        }
        awaited = slots[0];
    }

    private static boolean stages(Context context) {
        return context.device().kind() == Device.Kind.CUDA;
    }

    /** Device memory for the batches on their way to a graph's inputs, in bytes. */
    static long stagedBytes(Graph graph, Context context) {
        long batch = graph.inputs().stream()
                .filter(input -> !input.name().equals(Network.STEP))
                .mapToLong(input -> input.type().bytes())
                .sum();
        return stages(context) ? CAPACITY_ON_CUDA * batch : 0;
    }

    /** Lets the steps that follow be timed, until as many are recorded as it has room for. */
    void recordWith(StepRecorder next) {
        recorder = next;
    }

    /** Steps that can be under way before the oldest has to be awaited. */
    int capacity() {
        return slots.length;
    }

    /** Steps submitted and not awaited yet. */
    int inFlight() {
        return inFlight;
    }

    /** Starts a whole step with labels that are not mixed, as {@link #submit(long, float, boolean)}. */
    void submit(MemorySegment images, MemorySegment labels, long step, float learningRate) {
        batch[0] = images;
        batch[1] = labels;
        submit(step, learningRate, true);
    }

    /** Starts a step with mixed labels, as {@link #submit(long, float, boolean)}. */
    void submit(
            MemorySegment images,
            MemorySegment labels,
            MemorySegment otherLabels,
            MemorySegment shares,
            long step,
            float learningRate,
            boolean whole) {
        batch[0] = images;
        batch[1] = labels;
        if (batch.length > 2) {
            batch[2] = otherLabels;
            batch[3] = shares;
        }
        submit(step, learningRate, whole);
    }

    /**
     * Starts a step; the batch's memory may be written again when this returns.
     *
     * @param step number of the step, for the settings
     * @param learningRate for the settings
     * @param whole whether to run the whole plan, not its part
     * @throws IllegalStateException if as many steps as there is room for are under way
     */
    private void submit(long step, float learningRate, boolean whole) {
        if (inFlight == slots.length) {
            throw new IllegalStateException(inFlight + " steps are under way, all there is room for; await one first");
        }
        if (recorder != null && !recorder.isActive()) {
            recorder = null;
        }
        if (recorder != null) {
            recorder.submitted();
        }
        context.handle(); // fails with the reason where the context is closed
        Slot slot = slots[(oldest + inFlight) % slots.length];
        for (int i = 0; i < settings.length; i++) {
            settings[i].writer().write(step, learningRate, slot.settingsOnHost[i]);
        }
        if (staged) {
            submitStaged(slot, whole);
        } else {
            for (int i = 0; i < inputs.length; i++) {
                context.upload(batch[i], inputs[i]);
            }
            for (int i = 0; i < settings.length; i++) {
                context.upload(slot.settingsOnHost[i], settings[i].device());
            }
            runPlan(whole);
            context.download(results, slot.resultsOnHost);
        }
        inFlight++;
    }

    /** The slot was awaited, so nothing on the device uses it any more. */
    private void submitStaged(Slot slot, boolean whole) {
        for (int i = 0; i < inputs.length; i++) {
            stage(batch[i], slot.stagedInputs[i]);
        }
        slot.uploaded.record(TRANSFER);
        slot.uploaded.makeWait(COMPUTE);
        for (int i = 0; i < inputs.length; i++) {
            context.copyAsync(slot.stagedInputs[i], inputs[i], COMPUTE);
        }
        for (int i = 0; i < settings.length; i++) {
            context.uploadAsync(slot.settingsOnHost[i], settings[i].device(), COMPUTE);
        }
        runPlan(whole);
        context.downloadAsync(results, slot.resultsOnHost, COMPUTE);
        slot.done.record(COMPUTE);
        // Last, so that the device has its work while the host waits for the batch to be copied.
        slot.uploaded.synchronize();
    }

    private void runPlan(boolean whole) {
        if (recorder != null) {
            recorder.run(whole);
        } else if (whole) {
            plan.run();
        } else {
            plan.runPart();
        }
    }

    private void stage(MemorySegment host, MemorySegment device) {
        if (host.isNative()) {
            context.uploadAsync(host, device, TRANSFER);
        } else {
            context.upload(host, device);
        }
    }

    /**
     * Waits for the oldest step under way, whose results are then {@link #results}.
     *
     * @throws IllegalStateException if none is under way
     * @throws VeluException if the step failed on the device
     */
    void await() {
        if (inFlight == 0) {
            throw new IllegalStateException("no step is under way; submit one first");
        }
        Slot slot = slots[oldest];
        if (staged) {
            slot.done.synchronize();
        }
        awaited = slot;
        oldest = (oldest + 1) % slots.length;
        inFlight--;
    }

    /** Host memory with all results of the step awaited last, as {@link Plan#resultMemory} lays them out. */
    MemorySegment results() {
        return awaited.resultsOnHost;
    }

    /** Releases its memory once the steps under way are done. Closing twice is allowed. */
    @Override
    public void close() {
        try {
            if (context.isOpen() && inFlight > 0) {
                context.synchronize();
            }
        } finally {
            inFlight = 0;
            for (Slot slot : slots) {
                slot.close();
            }
        }
    }
}
