package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.op.Activation;
import dev.velu.op.Add;
import dev.velu.op.Concat;
import dev.velu.op.Conv2d;
import dev.velu.op.Pointwise;
import dev.velu.op.Reshape;
import dev.velu.tensor.Shape;
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
            long offset = layout.places().get(a).offset();
            assertThat(offset % MemoryPlanner.ALIGNMENT).isZero();
            assertThat(offset + a.type().bytes()).isLessThanOrEqualTo(layout.bytes());
            for (Value b : lives.keySet()) {
                // A value written in the step that last reads another may take its place: elementwise operations allow
                // it.
                boolean together = lives.get(a)[0] < lives.get(b)[1] && lives.get(b)[0] < lives.get(a)[1]
                        || lives.get(a)[0] == lives.get(b)[0];
                if (a != b && together) {
                    long other = layout.places().get(b).offset();
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
        assertThat(layout.places().get(b).offset())
                .isNotEqualTo(layout.places().get(a).offset());
        assertThat(layout.places()).containsKey(c);
    }

    private static final Conv2d POINT = Conv2d.of(1, 0);

    private static Value convolution(Graph graph, Value x, long channels) {
        Value weight = graph.input(
                "weight" + graph.inputs().size(),
                TensorType.f32(channels, 1, 1, x.type().shape().size(3)));
        return POINT.apply(graph, x, weight, null);
    }

    @Test
    void tensorsSetBesideEachOtherAreComputedThere() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2, 3, 3, 4));
        Value a = convolution(graph, x, 5);
        Value b = convolution(graph, x, 6);
        Value ab = new Concat().apply(graph, a, b);
        Value c = convolution(graph, x, 7);
        Value abc = new Concat().apply(graph, ab, c);
        graph.result("y", RELU.apply(graph, abc));
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        long start = layout.places().get(abc).offset();
        assertThat(layout.places().get(a))
                .isEqualTo(new MemoryPlanner.Place(start, a.type().pitched(18)));
        assertThat(layout.places().get(b))
                .isEqualTo(new MemoryPlanner.Place(start + 5 * 4, b.type().pitched(18)));
        assertThat(layout.places().get(ab))
                .isEqualTo(new MemoryPlanner.Place(start, ab.type().pitched(18)));
        assertThat(layout.places().get(c))
                .isEqualTo(new MemoryPlanner.Place(start + 11 * 4, c.type().pitched(18)));
        assertThat(layout.type(abc).isDense()).isTrue();
        assertThat(layout.bytes()).isEqualTo(MemoryPlanner.align(abc.type().bytes()));
    }

    @Test
    void aTensorThatIsReadWithoutGapsStaysApartFromItsNeighbour() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(2, 3, 3, 4));
        Value a = convolution(graph, x, 5);
        Value b = convolution(graph, x, 6);
        Value both = new Concat().apply(graph, a, b);
        graph.result("a", RELU.apply(graph, a));
        graph.result("both", RELU.apply(graph, both));
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        assertThat(layout.type(a).isDense()).isTrue();
        assertThat(layout.type(b).pitch()).isEqualTo(11);
    }

    @Test
    void aReshapedTensorIsTheSameMemory() {
        Graph graph = new Graph();
        Value x = RELU.apply(graph, graph.input("x", TensorType.f32(2, 3, 3, 4)));
        Value rows = new Reshape(Shape.of(2, 36)).apply(graph, x);
        graph.result("y", RELU.apply(graph, rows));
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        assertThat(layout.places().get(rows).offset())
                .isEqualTo(layout.places().get(x).offset());
        assertThat(layout.bytes()).isEqualTo(MemoryPlanner.align(x.type().bytes()));
    }

    @Test
    void nothingIsWrittenOverATensorWhoseReshapedViewIsReadLater() {
        Graph graph = new Graph();
        Value x = RELU.apply(graph, graph.input("x", TensorType.f32(2, 36)));
        Value view = new Reshape(Shape.of(2, 9, 4)).apply(graph, x);
        Value y = RELU.apply(graph, x);
        Value late = RELU.apply(graph, view);
        graph.result("y", RELU.apply(graph, y));
        graph.result("late", RELU.apply(graph, late));
        MemoryPlanner.Layout layout = MemoryPlanner.plan(graph.nodes());
        assertThat(layout.places().get(y).offset())
                .isNotEqualTo(layout.places().get(view).offset());
    }
}
