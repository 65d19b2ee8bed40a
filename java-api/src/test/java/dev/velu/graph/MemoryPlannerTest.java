package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.op.Activation;
import dev.velu.op.Add;
import dev.velu.op.Pointwise;
import dev.velu.tensor.TensorType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MemoryPlannerTest {
    private static final Activation RELU = new Activation(Pointwise.RELU);

    @Test
    void valuesThatLiveAtTheSameTimeNeverOverlap() {
        Random random = new Random(1);
        for (int trial = 0; trial < 50; trial++) {
            Graph graph = new Graph();
            Map<Long, Value> bySize = new HashMap<>();
            for (int i = 0; i < 40; i++) {
                long size = 1 + random.nextInt(5) * 37L;
                Value known = bySize.get(size);
                Value next = known == null
                        ? graph.input("x" + size, TensorType.f32(size))
                        : random.nextBoolean()
                                ? RELU.apply(graph, known)
                                : new Add().apply(graph, known, RELU.apply(graph, known));
                bySize.put(size, next);
            }
            assertNoOverlap(graph.nodes(), MemoryPlanner.plan(graph.nodes()));
        }
    }

    private static void assertNoOverlap(List<Node> nodes, MemoryPlanner.Layout layout) {
        Map<Value, int[]> lives = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            for (Value input : nodes.get(i).inputs()) {
                if (lives.containsKey(input)) {
                    lives.get(input)[1] = i;
                }
            }
            for (Value output : nodes.get(i).outputs()) {
                lives.put(output, new int[] {i, i});
            }
        }
        for (Value a : lives.keySet()) {
            long offset = layout.offsets().get(a);
            assertThat(offset % MemoryPlanner.ALIGNMENT).isZero();
            assertThat(offset + a.type().bytes()).isLessThanOrEqualTo(layout.bytes());
            for (Value b : lives.keySet()) {
                // A value written in the step that last reads another may take its place: elementwise operations allow
                // it.
                boolean together = lives.get(a)[0] < lives.get(b)[1] && lives.get(b)[0] < lives.get(a)[1]
                        || lives.get(a)[0] == lives.get(b)[0];
                if (a != b && together) {
                    long other = layout.offsets().get(b);
                    assertThat(offset + a.type().bytes() <= other
                                    || other + b.type().bytes() <= offset)
                            .as("%s at %d and %s at %d", a, offset, b, other)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void aChainOfInPlaceOperationsNeedsOneTensor() {
        Graph graph = new Graph();
        Value x = RELU.apply(graph, graph.input("x", TensorType.f32(1000)));
        for (int i = 0; i < 5; i++) {
            x = RELU.apply(graph, x);
        }
        graph.result("y", x);
        assertThat(MemoryPlanner.plan(graph.nodes()).bytes()).isEqualTo(MemoryPlanner.align(4000));
    }

    @Test
    void anInputThatIsReadLaterIsNotOverwritten() {
        Graph graph = new Graph();
        Value a = RELU.apply(graph, graph.input("x", TensorType.f32(16)));
        Value b = RELU.apply(graph, a);
        Value c = new Add().apply(graph, a, b);
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        assertThat(layout.offsets().get(b)).isNotEqualTo(layout.offsets().get(a));
        assertThat(layout.offsets()).containsKey(c);
    }
}
