package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.Add;
import dev.velu.op.GradientNorm;
import dev.velu.op.Pointwise;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class PlanTest {
    private static final TensorType SCALAR = TensorType.f32();
    private static final TensorType FOUR = TensorType.f32(4);
    private static final Activation RELU = new Activation(Pointwise.RELU);

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Graph graph = new Graph();

    private Plan plan(MemorySegment temporaries) {
        Value x = graph.input("x", FOUR);
        graph.result("y", new Add().apply(graph, RELU.apply(graph, x), x));
        return Plan.of(graph, new Parameters(), context, temporaries);
    }

    private void append(Plan plan, MemorySegment gradients, MemorySegment norm) {
        plan.append(
                new GradientNorm(),
                List.of(FOUR),
                List.of(SCALAR),
                List.of(gradients),
                List.of(norm),
                "",
                Phase.OPTIMIZER);
    }

    @Test
    void runningAfterCloseIsRefused() {
        Plan plan = plan(null);
        plan.run();
        plan.close();
        plan.close();
        assertThatIllegalStateException().isThrownBy(plan::run).withMessageContaining("this plan is closed");
    }

    @Test
    void runningAfterTheContextIsClosedIsRefused() {
        Plan plan = plan(null);
        context.close();
        assertThatIllegalStateException().isThrownBy(plan::run).withMessageContaining("is closed");
        plan.close();
    }

    @Test
    void runningOnFreedTemporariesIsRefused() {
        MemorySegment temporaries = context.allocate(64);
        Plan plan = plan(temporaries);
        plan.run();
        context.free(temporaries);
        assertThatIllegalStateException().isThrownBy(plan::run);
    }

    @Test
    void tooFewTemporariesAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(context.allocate(16)))
                .withMessageContaining("needs 64 bytes for temporaries; 16 are given");
    }

    @Test
    void aPlanThatCannotBeMadeHoldsNoMemory() {
        Parameter parameter =
                new Parameter("p", FOUR, Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, new Initializer.Constant(1));
        Parameters withoutMemory = new Parameters();
        withoutMemory.declare(parameter);
        graph.result("y", new Add().apply(graph, graph.input("x", FOUR), graph.parameter(parameter)));
        long before = context.allocatedBytes();
        assertThatIllegalStateException().isThrownBy(() -> Plan.of(graph, withoutMemory, context));
        assertThat(context.allocatedBytes()).isEqualTo(before);
    }

    @Test
    void aValueOfAnotherGraphIsRefused() {
        Value other = new Graph().input("x", FOUR);
        graph.result("y", RELU.apply(graph, other));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Plan.of(graph, new Parameters(), context))
                .withMessageContaining("another graph");
    }

    @Test
    void memorySmallerThanItsTypeIsRefused() {
        try (Plan plan = plan(null)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> append(plan, context.allocate(12), context.allocate(4)))
                    .withMessageContaining("gradient_norm: input 0 of F32 [4] needs 16 bytes; its segment has 12");
        }
    }

    @Test
    void heapMemoryIsRefused() {
        try (Plan plan = plan(null)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> append(plan, MemorySegment.ofArray(new float[4]), context.allocate(4)))
                    .withMessageContaining("input 0 of F32 [4] is on the Java heap");
        }
    }

    @Test
    void readOnlyOutputsAreRefused() {
        try (Plan plan = plan(null);
                Arena arena = Arena.ofConfined()) {
            MemorySegment norm = arena.allocate(4, 4).asReadOnly();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> append(plan, context.allocate(16), norm))
                    .withMessageContaining("output 0 is in read-only memory");
        }
    }

    @Test
    void outputsOfAnotherTypeAreRefused() {
        try (Plan plan = plan(null)) {
            MemorySegment memory = context.allocate(16);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> plan.append(
                            new GradientNorm(),
                            List.of(FOUR),
                            List.of(FOUR),
                            List.of(memory),
                            List.of(memory),
                            "",
                            Phase.OPTIMIZER))
                    .withMessageContaining("outputs are [F32 [4]], expected [F32 []]");
        }
    }

    @Test
    void inputsAndResultsOfTheSameNameAreRefused() {
        Value x = graph.input("x", FOUR);
        graph.result("y", RELU.apply(graph, x));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> graph.input("x", FOUR))
                .withMessageContaining("has the input 'x' already");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> graph.result("y", RELU.apply(graph, x)))
                .withMessageContaining("has the result 'y' already");
    }
}
