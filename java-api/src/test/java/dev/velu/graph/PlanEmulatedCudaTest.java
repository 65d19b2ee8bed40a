package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import dev.velu.bindings.VeluNative;
import dev.velu.device.Context;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.Add;
import dev.velu.op.EmulatedCuda;
import dev.velu.op.GradientNorm;
import dev.velu.op.Pointwise;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class PlanEmulatedCudaTest {
    private static final String GRAPHS = "velu.cuda.graphs";
    private static final TensorType FOUR = TensorType.f32(4);
    private static final Activation RELU = new Activation(Pointwise.RELU);

    @AutoClose
    private final Context context = EmulatedCuda.open();

    @AfterEach
    void forget() {
        System.clearProperty(GRAPHS);
    }

    /** y = relu(x) + x. */
    private Plan plan(MemorySegment temporaries) {
        Graph graph = new Graph();
        Value x = graph.input("x", FOUR);
        graph.result("y", new Add().apply(graph, RELU.apply(graph, x), x));
        return Plan.of(graph, new Parameters(), context, temporaries);
    }

    private float[] run(Plan plan, float... x) {
        context.upload(MemorySegment.ofArray(x), plan.input("x"));
        plan.run();
        return read(plan.result("y"), 4);
    }

    private float[] read(MemorySegment memory, int count) {
        float[] values = new float[count];
        context.download(memory, MemorySegment.ofArray(values));
        return values;
    }

    @Test
    void recordedRunsGiveWhatSingleCallsGive() {
        try (Plan plan = plan(null)) {
            for (int i = 1; i <= 4; i++) {
                assertThat(run(plan, i, -i, 0, 0.5f)).containsExactly(2 * i, -i, 0, 1);
                assertThat(plan.recorded()).isEqualTo(i > 1);
            }
        }
    }

    @Test
    void aTimedRunMakesSingleCallsAndKeepsTheRecording() {
        try (Plan plan = plan(null);
                CallTimes times = plan.callTimes()) {
            run(plan, 1, 2, 3, 4);
            run(plan, 1, 2, 3, 4);
            assertThat(plan.recorded()).isTrue();
            context.upload(MemorySegment.ofArray(new float[] {5, -6, 0, 1}), plan.input("x"));
            long before = System.nanoTime();
            plan.run(times);
            assertThat(List.of(before, times.begin(0), times.end(0), times.begin(1), times.end(1)))
                    .isSorted();
            assertThat(read(plan.result("y"), 4)).containsExactly(10, -6, 0, 2);
            assertThat(run(plan, 1, -1, 0, 0)).containsExactly(2, -1, 0, 0);
            assertThat(plan.recorded()).isTrue();
        }
    }

    @Test
    void aPropertyKeepsToSingleCalls() {
        System.setProperty(GRAPHS, "false");
        try (Plan plan = plan(null)) {
            for (int i = 1; i <= 3; i++) {
                assertThat(run(plan, i, -i, 0, 0.5f)).containsExactly(2 * i, -i, 0, 1);
            }
            assertThat(plan.recorded()).isFalse();
        }
    }

    @Test
    void whatIsAppendedRunsAlsoAfterARecording() {
        MemorySegment gradients = context.allocate(FOUR.bytes());
        MemorySegment norm = context.allocate(4);
        context.upload(MemorySegment.ofArray(new float[] {3, 0, 4, 0}), gradients);
        try (Plan plan = plan(null)) {
            run(plan, 1, 2, 3, 4);
            run(plan, 1, 2, 3, 4);
            plan.append(
                    new GradientNorm(),
                    List.of(FOUR),
                    List.of(TensorType.f32()),
                    List.of(gradients),
                    List.of(norm),
                    "",
                    Phase.OPTIMIZER);
            assertThat(plan.recorded()).isFalse();
            run(plan, 1, 2, 3, 4);
            assertThat(read(norm, 1)).containsExactly(5);
            context.upload(MemorySegment.ofArray(new float[] {0, 12, 0, 5}), gradients);
            run(plan, 1, 2, 3, 4);
            assertThat(read(norm, 1)).containsExactly(13);
            assertThat(plan.recorded()).isTrue();
        }
    }

    @Test
    void replayingOnFreedMemoryIsRefused() {
        MemorySegment temporaries = context.allocate(64);
        try (Plan plan = plan(temporaries)) {
            run(plan, 1, 2, 3, 4);
            run(plan, 1, 2, 3, 4);
            context.free(temporaries);
            assertThatIllegalStateException().isThrownBy(plan::run).withMessageContaining("already released");
        }
    }

    @Test
    void replayingAfterCloseIsRefused() {
        Plan plan = plan(null);
        run(plan, 1, 2, 3, 4);
        run(plan, 1, 2, 3, 4);
        plan.close();
        plan.close();
        assertThatIllegalStateException().isThrownBy(plan::run).withMessageContaining("this plan is closed");
    }

    @Test
    void theContextClosesWithAPlanThatIsRecorded() {
        Plan plan = plan(null);
        run(plan, 1, 2, 3, 4);
        plan.run();
        context.close();
        assertThatIllegalStateException().isThrownBy(plan::run).withMessageContaining("is closed");
        assertThatNoException().isThrownBy(plan::close);
    }

    @Test
    void aRunThatCannotBeRecordedNamesTheOperationAndTheContextGoesOn() {
        try (Plan plan = plan(null)) {
            plan.append(
                    new Waiting(),
                    List.of(FOUR),
                    List.of(),
                    List.of(plan.result("y")),
                    List.of(),
                    "layer1.wait",
                    Phase.FORWARD);
            run(plan, 1, 2, 3, 4);
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(plan::run)
                    .withMessageStartingWith("layer1.wait: velu_context_synchronize: a graph is being recorded")
                    .withMessageContaining("-Dvelu.cuda.graphs=false");
        }
        try (Plan other = plan(null)) {
            assertThat(run(other, 1, -1, 0, 0)).containsExactly(2, -1, 0, 0);
        }
    }

    /** An operation that waits for the device, which cannot be recorded. */
    private record Waiting() implements Operation {
        @Override
        public String name() {
            return "context_synchronize";
        }

        @Override
        public List<TensorType> infer(List<TensorType> inputs) {
            return List.of();
        }

        @Override
        public NativeCall bind(Binding binding) {
            MemorySegment handle = binding.context().handle();
            return () -> VeluNative.velu_context_synchronize(handle);
        }
    }

    @Test
    void aPlanThatDoesNotFitSaysWhatItNeedsAndWhatIsFree() {
        Graph graph = new Graph();
        graph.result("y", RELU.apply(graph, graph.input("x", TensorType.f32(1L << 40))));
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> Plan.of(graph, new Parameters(), context))
                .withMessageMatching(
                        "the plan needs 8388608 MiB beside parameters and optimizer state \\(temporaries 0,"
                                + " inputs 4194304, results 4194304\\); use a smaller batch or image size: cuda:0 is out of"
                                + " memory: 4194304 MiB are asked for, \\d+ of \\d+ MiB are free; .*")
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY));
    }
}
