package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.Test;

class BatchNormFusionTest {
    private static final BatchNorm NORM = BatchNorm.defaults();
    private static final TensorType DATA = TensorType.f32(4, 2);

    private final Graph graph = new Graph();
    private final Value x = graph.input("x", DATA);
    private final Value shortcut = graph.input("shortcut", DATA);
    private final Value channels = graph.input("channels", TensorType.f32(2));
    private final Value lambda = graph.input("lambda", TensorType.f32());

    private Value training() {
        return NORM.applyTraining(graph, x, channels, channels, channels, channels, null);
    }

    private Operation.Fused fuse(Value normed, Value next) {
        return normed.producer().operation().fuse(normed.producer(), next.producer(), true);
    }

    @Test
    void theOtherAddendBecomesTheResidual() {
        Value normed = training();
        Value sum = new Add().apply(graph, shortcut, normed);
        Operation.Fused fused = fuse(normed, sum);
        assertThat(fused.operation()).isEqualTo(new BatchNorm.ForwardTraining(NORM, false));
        assertThat(fused.inputs().get(0)).isSameAs(x);
        assertThat(fused.inputs().get(3)).isSameAs(shortcut);
        assertThat(fused.outputs())
                .containsExactly(
                        sum, normed.producer().output(1), normed.producer().output(2), null);
    }

    @Test
    void aNormAddedToItselfStays() {
        Value normed = training();
        assertThat(fuse(normed, new Add().apply(graph, normed, normed))).isNull();
    }

    @Test
    void aPointwiseActivationJoins() {
        Value normed = training();
        Value y = new Activation(Pointwise.SILU).apply(graph, normed);
        Operation.Fused fused = fuse(normed, y);
        assertThat(fused.operation()).isEqualTo(new BatchNorm.ForwardTraining(NORM.with(Pointwise.SILU, 0), false));
        assertThat(fused.outputs().getFirst()).isSameAs(y);
    }

    @Test
    void aSigmoidStays() {
        Value normed = training();
        assertThat(fuse(normed, new Activation(Pointwise.SIGMOID).apply(graph, normed)))
                .isNull();
    }

    @Test
    void veluJoinsWithItsLambdaItsWeightAndItsMoments() {
        Value normed = training();
        Velu velu = new Velu(VeluParameters.released(), 0.1f);
        Velu.Output next = velu.apply(graph, normed, lambda);
        Operation.Fused fused = fuse(normed, next.y());
        assertThat(fused.operation()).isEqualTo(new BatchNorm.ForwardTraining(NORM.with(velu.params(), 0.1f), true));
        assertThat(fused.inputs().get(4)).isSameAs(lambda);
        assertThat(fused.outputs()).first().isSameAs(next.y());
        assertThat(fused.outputs()).last().isSameAs(next.moments());
    }

    @Test
    void theJoinedOperationsTypesAreThoseOfItsValues() {
        Value normed = training();
        Velu.Output next = new Velu(VeluParameters.released(), 0.1f).apply(graph, normed, lambda);
        Operation.Fused fused = fuse(normed, next.y());
        Node joined = new Node(fused.operation(), fused.inputs(), fused.outputs(), "");
        assertThat(fused.operation().infer(joined.inputTypes())).isEqualTo(joined.outputTypes());
    }

    @Test
    void inferenceJoinsToo() {
        Value normed = NORM.applyInference(graph, x, channels, channels, channels, channels);
        Value sum = new Add().apply(graph, normed, shortcut);
        Operation.Fused withSum = normed.producer().operation().fuse(normed.producer(), sum.producer(), false);
        assertThat(withSum.inputs().get(3)).isSameAs(shortcut);
        Value y = new Activation(Pointwise.RELU).apply(graph, sum);
        Node joined = new Node(withSum.operation(), withSum.inputs(), withSum.outputs(), "");
        Operation.Fused withRelu = joined.operation().fuse(joined, y.producer(), false);
        assertThat(withRelu.operation()).isEqualTo(new BatchNorm.ForwardInference(NORM.with(Pointwise.RELU, 0), false));
        assertThat(withRelu.inputs().get(3)).isSameAs(shortcut);
        assertThat(withRelu.outputs()).containsExactly(y, null);
    }

    @Test
    void inferenceStaysApartWhereAGradientIsNeeded() {
        Value normed = NORM.applyInference(graph, x, channels, channels, channels, channels);
        assertThat(fuse(normed, new Add().apply(graph, normed, shortcut))).isNull();
    }

    @Test
    void nothingJoinsAfterAnActivation() {
        BatchNorm.Output activated = NORM.with(Pointwise.RELU, 0)
                .applyTraining(graph, x, channels, channels, null, null, channels, channels, null);
        assertThat(fuse(activated.y(), new Add().apply(graph, activated.y(), shortcut)))
                .isNull();
        assertThat(fuse(activated.y(), new Activation(Pointwise.RELU).apply(graph, activated.y())))
                .isNull();
    }

    @Test
    void aSecondSumStays() {
        BatchNorm.Output summed =
                NORM.applyTraining(graph, x, channels, channels, shortcut, null, channels, channels, null);
        assertThat(fuse(summed.y(), new Add().apply(graph, summed.y(), x))).isNull();
    }

    @Test
    void aMatrixProductStays() {
        Value normed = training();
        Value weight = graph.input("weight", TensorType.f32(3, 2));
        assertThat(fuse(normed, new Linear().apply(graph, normed, weight, null)))
                .isNull();
    }
}
