package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Parameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ReshapeTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @Test
    void keepsTheOrderOfElements() {
        Tensor x = Tensor.allocate(context, DType.F32, 2, 3).set(1f, 2f, 3f, 4f, 5f, 6f);
        Tensor y = Tensor.allocate(context, DType.F32, 3, 2);
        new Reshape(Shape.of(3, 2)).forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1, 2, 3, 4, 5, 6);
    }

    @Test
    void costsNothingInAPlanButIsCopiedFromAnInputToAResult() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2, 3));
        Value inner = new Reshape(Shape.of(6)).apply(graph, new Activation(Pointwise.RELU).apply(graph, x));
        graph.result("inner", new Activation(Pointwise.RELU).apply(graph, inner));
        graph.result("outer", new Reshape(Shape.of(3, 2)).apply(graph, x));
        try (Plan plan = Plan.of(graph, allocated(), context)) {
            assertThat(plan.size()).isEqualTo(3);
            context.upload(MemorySegment.ofArray(new float[] {1, -2, 3, -4, 5, 6}), plan.input("x"));
            plan.run();
            assertThat(plan.result("inner").toArray(ValueLayout.JAVA_FLOAT)).containsExactly(1, 0, 3, 0, 5, 6);
            assertThat(plan.result("outer").toArray(ValueLayout.JAVA_FLOAT)).containsExactly(1, -2, 3, -4, 5, 6);
        }
    }

    private Parameters allocated() {
        Parameters none = new Parameters();
        none.allocate(context, false);
        return none;
    }

    @Test
    void namesAShapeOfAnotherSize() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2, 3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Reshape(Shape.of(5)).apply(graph, x))
                .withMessageContaining("x has shape [2, 3] with 6 elements, which do not make [5]");
    }
}
