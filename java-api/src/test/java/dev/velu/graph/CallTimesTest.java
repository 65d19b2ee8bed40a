package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.tuple;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.Add;
import dev.velu.op.GradientNorm;
import dev.velu.op.Pointwise;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class CallTimesTest {
    private static final TensorType FOUR = TensorType.f32(4);

    @AutoClose
    private final Context context = Context.open(Device.cpu());

    /** y = relu(x) + x. */
    private Plan plan() {
        Graph graph = new Graph();
        Value x = graph.input("x", FOUR);
        Value relu = graph.within("act1", () -> new Activation(Pointwise.RELU).apply(graph, x));
        graph.result("y", new Add().apply(graph, relu, x));
        return Plan.of(graph, new Parameters(), context);
    }

    @Test
    void aTimedRunComputesWhatAnyOtherDoes() {
        try (Plan plan = plan();
                CallTimes times = plan.callTimes()) {
            plan.input("x").copyFrom(MemorySegment.ofArray(new float[] {1, -2, 3, -4}));
            plan.run(times);
            assertThat(plan.result("y").toArray(ValueLayout.JAVA_FLOAT)).containsExactly(2, -2, 6, -4);
        }
    }

    @Test
    void callsFollowEachOtherWithinTheRun() {
        try (Plan plan = plan();
                CallTimes times = plan.callTimes()) {
            long before = System.nanoTime();
            plan.run(times);
            long after = System.nanoTime();
            assertThat(times.size()).isEqualTo(2);
            assertThat(List.of(before, times.begin(0), times.end(0), times.begin(1), times.end(1), after))
                    .isSorted();
            assertThat(times.total()).isPositive().isLessThanOrEqualTo(after - before);
        }
    }

    @Test
    void timesOfAnotherNumberOfCallsAreRefused() {
        MemorySegment gradients = context.allocate(FOUR.bytes());
        MemorySegment norm = context.allocate(Float.BYTES);
        try (Plan plan = plan();
                CallTimes times = plan.callTimes()) {
            plan.append(
                    new GradientNorm(),
                    List.of(FOUR),
                    List.of(TensorType.f32()),
                    List.of(gradients),
                    List.of(norm),
                    "optimizer",
                    Phase.OPTIMIZER);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> plan.run(times))
                    .withMessageContaining("of 2 calls, the plan has 3");
        }
    }

    @Test
    void aTimedRunOfAClosedPlanIsRefused() {
        Plan plan = plan();
        CallTimes times = plan.callTimes();
        plan.close();
        assertThatIllegalStateException().isThrownBy(() -> plan.run(times)).withMessageContaining("closed");
    }

    @Test
    void everyCallTellsWhatItIsAndWhatItMoves() {
        try (Plan plan = plan()) {
            assertThat(plan.calls())
                    .extracting(PlannedCall::operation, PlannedCall::scope, PlannedCall::phase, PlannedCall::bytes)
                    .containsExactly(
                            tuple("activation_forward", "act1", Phase.FORWARD, 32L),
                            tuple("add_forward", "", Phase.FORWARD, 48L));
        }
    }
}
