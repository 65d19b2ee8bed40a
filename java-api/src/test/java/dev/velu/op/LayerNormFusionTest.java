package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Value;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.Test;

/** A residual sum and the layer norm that reads it become one operation. */
class LayerNormFusionTest {
    private final Graph graph = new Graph();
    private final Value x = graph.input("x", TensorType.f32(2, 3, 4));
    private final Value shortcut = graph.input("shortcut", TensorType.f32(2, 3, 4));
    private final Value channels = graph.input("channels", TensorType.f32(4));
    private final LayerNorm norm = new LayerNorm(1e-6f);

    private Value normalize(Value z) {
        return norm.apply(graph, z, channels, channels);
    }

    private Node onlyNode() {
        assertThat(graph.nodes()).hasSize(1);
        return graph.nodes().getFirst();
    }

    @Test
    void aSumThatOnlyTheNormReadsJoins() {
        Value sum = new Add().apply(graph, x, shortcut);
        Value y = normalize(sum);
        Fusion.fuse(graph, true);
        Node joined = onlyNode();
        assertThat(joined.operation()).isEqualTo(new LayerNorm.Forward(norm, true));
        assertThat(joined.inputs()).containsExactly(x, shortcut, channels, channels);
        assertThat(joined.outputs()).startsWith(y, sum);
        assertThat(joined.operation().infer(joined.inputTypes())).isEqualTo(joined.outputTypes());
    }

    @Test
    void aSumThatIsReadLaterJoinsAndIsKept() {
        Value sum = new Add().apply(graph, x, shortcut);
        Value y = normalize(sum);
        Value later = new Add().apply(graph, sum, y);
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(2);
        assertThat(graph.nodes().getFirst().outputs()).startsWith(y, sum);
        assertThat(graph.nodes().getLast().inputs()).containsExactly(sum, y);
        assertThat(graph.nodes().getLast().outputs()).containsExactly(later);
    }

    @Test
    void aSumThatSomethingElseReadsFirstStays() {
        Value sum = new Add().apply(graph, x, shortcut);
        new Activation(Pointwise.RELU).apply(graph, sum);
        normalize(sum);
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(3);
    }

    @Test
    void aSumThatIsAResultStays() {
        Value sum = graph.result("sum", new Add().apply(graph, x, shortcut));
        normalize(sum);
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(2);
    }

    @Test
    void aSumOfAValueWithItselfStays() {
        normalize(new Add().apply(graph, x, x));
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(2);
    }

    @Test
    void aSecondSumStays() {
        Value joined = graph.apply(new LayerNorm.Forward(norm, true), x, shortcut, channels, channels)
                .getFirst();
        normalize(new Add().apply(graph, joined, x));
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(2);
        graph.apply(
                new LayerNorm.Forward(norm, true),
                new Add().apply(graph, joined, shortcut),
                shortcut,
                channels,
                channels);
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).hasSize(4);
    }
}
