package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** Training and inference steps with two under way, against the CPU, where each is done before the next. */
class StepsEmulatedCudaTest {
    private static final int STEPS = 6;
    /** Float32 sums of another order, through a few steps. */
    private static final double TOLERANCE = 1e-4;

    @AutoClose
    private final Context cuda = EmulatedCuda.open();

    @AutoClose
    private final Context cpu = Context.open(Device.cpu(), 1, Isa.AUTO);

    private record Outcome(float loss, long top1, double w2) {}

    private static Optimizer optimizer(Network network, Context context) {
        return new Optimizer(network.parameters(), OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0, 1), context);
    }

    private static TrainingStep trainingStep(Network network, Context context) {
        return new TrainingStep(network, context, optimizer(network, context), 0.1f);
    }

    private static Outcome outcome(TrainingStep step) {
        return new Outcome(step.loss(), step.top1(), step.w2());
    }

    /** All steps with as many under way as there is room for; batches are overwritten as soon as they may be. */
    private static List<Outcome> train(Network network, Context context) {
        MemorySegment images = context.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = context.allocateHost(TinyNetwork.LABEL_BYTES);
        List<Outcome> outcomes = new ArrayList<>();
        try (TrainingStep step = trainingStep(network, context)) {
            for (int i = 0; i < STEPS; i++) {
                TinyNetwork.batch(i, images, labels);
                step.submit(images, labels, 0.1f / (1 + i));
                images.fill((byte) 0);
                labels.fill((byte) 0);
                if (step.inFlight() == step.capacity()) {
                    step.await();
                    outcomes.add(outcome(step));
                }
            }
            while (step.inFlight() > 0) {
                step.await();
                outcomes.add(outcome(step));
            }
        }
        return outcomes;
    }

    @Test
    void trainingAgreesWithTheCpu() {
        Network onCuda = TinyNetwork.on(cuda, true);
        Network onCpu = TinyNetwork.on(cpu, true);
        List<Outcome> outcomes = train(onCuda, cuda);
        List<Outcome> expected = train(onCpu, cpu);
        assertThat(outcomes).hasSize(STEPS);
        for (int i = 0; i < STEPS; i++) {
            assertThat(outcomes.get(i).loss())
                    .as("loss of step %d", i)
                    .isEqualTo(expected.get(i).loss(), within((float) TOLERANCE));
            assertThat(outcomes.get(i).w2())
                    .as("W2 of step %d", i)
                    .isEqualTo(expected.get(i).w2(), within(TOLERANCE));
            assertThat(outcomes.get(i).top1())
                    .as("correct rows of step %d", i)
                    .isEqualTo(expected.get(i).top1());
        }
        float[] weights = values(onCuda, cuda);
        float[] expectedWeights = values(onCpu, cpu);
        for (int i = 0; i < weights.length; i++) {
            assertThat(weights[i]).isEqualTo(expectedWeights[i], within((float) TOLERANCE));
        }
    }

    private static float[] values(Network network, Context context) {
        float[] values = new float[Math.toIntExact(network.parameters().flatCount())];
        context.download(network.parameters().values(), MemorySegment.ofArray(values));
        return values;
    }

    @Test
    void trainingTwiceGivesTheSameBits() {
        assertThat(train(TinyNetwork.on(cuda, true), cuda)).isEqualTo(train(TinyNetwork.on(cuda, true), cuda));
    }

    @Test
    void recordedStepsGiveTheBitsOfSingleCalls() {
        List<Outcome> recorded = train(TinyNetwork.on(cuda, true), cuda);
        System.setProperty("velu.cuda.graphs", "false");
        try {
            assertThat(train(TinyNetwork.on(cuda, true), cuda)).isEqualTo(recorded);
        } finally {
            System.clearProperty("velu.cuda.graphs");
        }
    }

    @Test
    void inferenceAgreesWithTheCpu() {
        List<Double> onCuda = infer(cuda);
        List<Double> onCpu = infer(cpu);
        assertThat(onCuda).hasSameSizeAs(onCpu);
        for (int i = 0; i < onCpu.size(); i++) {
            assertThat(onCuda.get(i)).isEqualTo(onCpu.get(i), within(1e-5));
        }
    }

    private static List<Double> infer(Context context) {
        MemorySegment images = context.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = context.allocateHost(TinyNetwork.LABEL_BYTES);
        List<Double> found = new ArrayList<>();
        try (InferenceStep step = new InferenceStep(TinyNetwork.on(context, false), context)) {
            for (int i = 0; i < STEPS; i++) {
                TinyNetwork.batch(i, images, labels);
                step.submit(images, labels);
                if (step.inFlight() == step.capacity()) {
                    step.await();
                    add(step, found);
                }
            }
            while (step.inFlight() > 0) {
                step.await();
                add(step, found);
            }
            // Batches on the heap, and without labels.
            step.run(MemorySegment.ofArray(new byte[(int) TinyNetwork.IMAGE_BYTES]));
            add(step, found);
        }
        return found;
    }

    private static void add(InferenceStep step, List<Double> found) {
        found.add((double) step.loss());
        found.add((double) step.top1());
        found.add((double) step.top5());
        for (double probability : step.probabilities(TinyNetwork.BATCH - 1)) {
            found.add(probability);
        }
    }

    @Test
    void plannedMemoryIsWhatIsAllocated() {
        Network network = TinyNetwork.on(cuda, true);
        try (TrainingStep step = trainingStep(network, cuda)) {
            PlannedMemory planned =
                    PlannedMemory.training(network.spec(), TinyNetwork.BATCH, OptimizerAlgorithm.Sgd.defaults(), cuda);
            // Apart from the optimizer's scalars and from padding.
            assertThat(cuda.allocatedBytes()).isCloseTo(planned.total(), within(256L));
            assertThat(step.capacity()).isEqualTo(2);
        }
    }

    @Test
    void recordedStepsAmongOthersLearnWhatTheyWouldHave() {
        MemorySegment images = cuda.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = cuda.allocateHost(TinyNetwork.LABEL_BYTES);
        List<Outcome> expected = train(TinyNetwork.on(cuda, true), cuda);
        List<Outcome> outcomes = new ArrayList<>();
        try (TrainingStep step = trainingStep(TinyNetwork.on(cuda, true), cuda)) {
            StepRecorder recorder = null;
            for (int i = 0; i < STEPS; i++) {
                if (i == 2) {
                    recorder = step.record(2);
                }
                boolean recorded = i == 2 || i == 3;
                if (recorded) {
                    recorder.begin();
                }
                TinyNetwork.batch(i, images, labels);
                step.submit(images, labels, 0.1f / (1 + i));
                if (step.inFlight() == step.capacity()) {
                    step.await();
                    outcomes.add(outcome(step));
                }
                if (recorded) {
                    recorder.end();
                }
            }
            step.await();
            outcomes.add(outcome(step));
            assertThat(recorder.isComplete()).isTrue();
            for (StepProfile.Step recorded : recorder.profile().steps()) {
                assertThat(recorded.callBegins().getFirst()).isGreaterThanOrEqualTo(recorded.copied());
                assertThat(recorded.nativeNanos()).isBetween(1L, recorded.nanos());
            }
        }
        assertThat(outcomes).isEqualTo(expected);
    }

    @Test
    void onlyTwoStepsCanBeUnderWay() {
        MemorySegment images = cuda.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = cuda.allocateHost(TinyNetwork.LABEL_BYTES);
        try (TrainingStep step = trainingStep(TinyNetwork.on(cuda, true), cuda)) {
            assertThatIllegalStateException().isThrownBy(step::await).withMessageContaining("no step is under way");
            step.submit(images, labels, 0);
            step.submit(images, labels, 0);
            assertThatIllegalStateException()
                    .isThrownBy(() -> step.submit(images, labels, 0))
                    .withMessageContaining("2 steps are under way");
            step.run(images, labels, 0);
            assertThat(step.inFlight()).isZero();
        }
    }

    @Test
    void contextAndStepCloseWithStepsUnderWayInEitherOrder() {
        TrainingStep first = trainingStep(TinyNetwork.on(cuda, true), cuda);
        TrainingStep second = trainingStep(TinyNetwork.on(cuda, true), cuda);
        MemorySegment images = cuda.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = cuda.allocateHost(TinyNetwork.LABEL_BYTES);
        for (TrainingStep step : List.of(first, second)) {
            step.run(images, labels, 0);
            step.submit(images, labels, 0);
            step.submit(images, labels, 0);
        }
        first.close();
        cuda.close();
        assertThatIllegalStateException().isThrownBy(second::await).withMessageContaining("closed");
        assertThatNoException().isThrownBy(second::close);
    }

    @Test
    void aReplayedStepAllocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().threadId();
        MemorySegment images = cuda.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment labels = cuda.allocateHost(TinyNetwork.LABEL_BYTES);
        try (TrainingStep step = trainingStep(TinyNetwork.on(cuda, true), cuda)) {
            step.run(images, labels, 0);
            step.run(images, labels, 0);
            long device = cuda.allocatedBytes();
            long least = Long.MAX_VALUE;
            // The interpreter and the first compilers box arguments of native calls; the last compiler does not.
            for (int i = 0; i < 3000 && least > 0; i++) {
                long before = threads.getThreadAllocatedBytes(thread);
                step.run(images, labels, 0);
                least = Math.min(least, threads.getThreadAllocatedBytes(thread) - before);
            }
            assertThat(least).as("bytes allocated in the leanest step").isLessThanOrEqualTo(1024);
            assertThat(cuda.allocatedBytes()).isEqualTo(device);
        }
    }
}
