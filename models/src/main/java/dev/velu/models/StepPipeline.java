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
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
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
    private final Optimizer optimizer;
    private final MemorySegment images;
    private final MemorySegment labels;
    /** Number of the step, for random operations; null where there are none. */
    private final MemorySegment step;

    private final MemorySegment results;
    private final boolean staged;
    private final Slot[] slots;
    private Slot awaited;
    /** Times the steps, or null. */
    private StepRecorder recorder;

    private int oldest;
    private int inFlight;

    /** What one step under way has to itself. All but the results only where batches are staged. */
    private final class Slot {
        MemorySegment resultsOnHost;
        MemorySegment stepNumber;
        MemorySegment learningRate;
        MemorySegment stagedImages;
        MemorySegment stagedLabels;
        Event uploaded;
        Event done;

        void allocate() {
            resultsOnHost = context.allocateHost(results.byteSize());
            stepNumber = context.allocateHost(ValueLayout.JAVA_LONG.byteSize());
            if (staged) {
                learningRate = context.allocateHost(ValueLayout.JAVA_FLOAT.byteSize());
                stagedImages = context.allocate(images.byteSize());
                stagedLabels = context.allocate(labels.byteSize());
                uploaded = Event.create(context);
                done = Event.create(context);
            }
        }

        void close() {
            Stream.of(resultsOnHost, stepNumber, learningRate)
                    .filter(Objects::nonNull)
                    .forEach(context::freeHost);
            Stream.of(stagedImages, stagedLabels).filter(Objects::nonNull).forEach(context::free);
            Stream.of(uploaded, done).filter(Objects::nonNull).forEach(Event::close);
        }
    }

    /**
     * @param plan with the inputs {@link Network#IMAGES} and {@link TrainingGraph#LABELS}, and maybe {@link Network#STEP}
     * @param optimizer whose learning rate each step sets, or null
     * @throws VeluException if memory is exhausted; says how much is needed
     */
    StepPipeline(Plan plan, Context context, Optimizer optimizer) {
        this.context = context;
        this.plan = plan;
        this.optimizer = optimizer;
        images = plan.input(Network.IMAGES);
        labels = plan.input(TrainingGraph.LABELS);
        step = plan.hasInput(Network.STEP) ? plan.input(Network.STEP) : null;
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
            throw e.ifOutOfMemory("batches on their way to the device need "
                    + Math.ceilDiv(slots.length * (images.byteSize() + labels.byteSize()), 1 << 20)
                    + " MiB; use a smaller batch or image size");
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

    /**
     * Starts a step; the batch's memory may be written again when this returns.
     *
     * @param stepNumber unused if nothing in the plan is random
     * @param learningRate unused without an optimizer
     * @throws IllegalStateException if as many steps as there is room for are under way
     */
    void submit(MemorySegment batchImages, MemorySegment batchLabels, long stepNumber, float learningRate) {
        if (inFlight == slots.length) {
            throw new IllegalStateException(inFlight + " steps are under way, all there is room for; await one first");
        }
        if (recorder != null && !recorder.isActive()) {
            recorder = null;
        }
        if (recorder != null) {
            recorder.submitted();
        }
        Slot slot = slots[(oldest + inFlight) % slots.length];
        if (staged) {
            submitStaged(slot, batchImages, batchLabels, stepNumber, learningRate);
        } else {
            context.upload(batchImages, images);
            context.upload(batchLabels, labels);
            if (step != null) {
                slot.stepNumber.set(ValueLayout.JAVA_LONG, 0, stepNumber);
                context.upload(slot.stepNumber, step);
            }
            if (optimizer != null) {
                optimizer.learningRate(learningRate);
            }
            runPlan();
            context.download(results, slot.resultsOnHost);
        }
        inFlight++;
    }

    /** The slot was awaited, so nothing on the device uses it any more. */
    private void submitStaged(
            Slot slot, MemorySegment batchImages, MemorySegment batchLabels, long stepNumber, float learningRate) {
        stage(batchImages, slot.stagedImages);
        stage(batchLabels, slot.stagedLabels);
        slot.uploaded.record(TRANSFER);
        slot.uploaded.makeWait(COMPUTE);
        context.copyAsync(slot.stagedImages, images, COMPUTE);
        context.copyAsync(slot.stagedLabels, labels, COMPUTE);
        if (step != null) {
            slot.stepNumber.set(ValueLayout.JAVA_LONG, 0, stepNumber);
            context.uploadAsync(slot.stepNumber, step, COMPUTE);
        }
        if (optimizer != null) {
            slot.learningRate.set(ValueLayout.JAVA_FLOAT, 0, learningRate);
            context.uploadAsync(slot.learningRate, optimizer.learningRate(), COMPUTE);
        }
        runPlan();
        context.downloadAsync(results, slot.resultsOnHost, COMPUTE);
        slot.done.record(COMPUTE);
        // Last, so that the device has its work while the host waits for the batch to be copied.
        slot.uploaded.synchronize();
    }

    private void runPlan() {
        if (recorder == null) {
            plan.run();
        } else {
            recorder.run();
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
