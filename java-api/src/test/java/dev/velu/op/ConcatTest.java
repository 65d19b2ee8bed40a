package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ConcatTest {
    private static final Initializer RANDOM = new Initializer.Uniform(-0.5f, 0.5f);
    private static final int LAYERS = 3;
    private static final int GROWTH = 3;
    private static final int STEM = 5;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    /** A dense block: each layer reads all features before it and adds some. */
    private final class Block implements AutoCloseable {
        private final Graph graph = new Graph();
        private final Parameters parameters = new Parameters();
        private final Plan plan;

        /** @param apart whether every tensor is kept as a result, so that nothing can lie inside another */
        Block(boolean apart) {
            Value x = graph.input("x", TensorType.f32(2, 7, 7, 2));
            Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
            Value features = MaxPool2d.of(2, 1, 0).apply(graph, conv("stem", x, STEM));
            for (int layer = 0; layer < LAYERS; layer++) {
                Value y = conv("conv" + layer, norm("norm" + layer, features), GROWTH);
                if (apart) {
                    graph.result("features" + layer, features);
                    graph.result("new" + layer, y);
                }
                features = new Concat().apply(graph, features, y);
            }
            Value rows = new GlobalAvgPool().apply(graph, norm("last", features));
            Value logits = new Linear()
                    .apply(
                            graph,
                            rows,
                            parameter("fc.weight", RANDOM, 4, STEM + LAYERS * GROWTH),
                            parameter("fc.bias", RANDOM, 4));
            Value loss = new SoftmaxCrossEntropy(0).apply(graph, logits, labels);
            graph.result("loss", loss);
            Fusion.fuse(graph, true);
            Autodiff.differentiate(graph, loss);
            parameters.allocate(context, true);
            parameters.initialize(3);
            plan = Plan.of(graph, parameters, context);
            RandomFill.fill(context, plan.input("x"), 2 * 7 * 7 * 2, RANDOM, 1, 0);
            context.upload(MemorySegment.ofArray(new int[] {1, 3}), plan.input("labels"));
        }

        private Value conv(String name, Value x, long channels) {
            return Conv2d.of(1, 1)
                    .apply(
                            graph,
                            x,
                            parameter(
                                    name + ".weight",
                                    RANDOM,
                                    channels,
                                    3,
                                    3,
                                    x.type().shape().size(3)),
                            null);
        }

        private Value norm(String name, Value x) {
            long channels = x.type().shape().size(3);
            Value y = BatchNorm.defaults()
                    .applyTraining(
                            graph,
                            x,
                            parameter(name + ".weight", RANDOM, channels),
                            parameter(name + ".bias", RANDOM, channels),
                            null,
                            null,
                            null);
            return new Velu(VeluParameters.curve(), 0.1f)
                    .apply(graph, y, parameter(name + ".lambda", new Initializer.Constant(1)))
                    .y();
        }

        private Value parameter(String name, Initializer initializer, long... sizes) {
            return graph.parameter(parameters.declare(new Parameter(
                    name, TensorType.f32(sizes), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, initializer)));
        }

        Map<String, float[]> gradients() {
            plan.run();
            Map<String, float[]> gradients = new TreeMap<>();
            for (Parameter p : parameters.all()) {
                gradients.put(p.name(), parameters.gradient(p).toArray(ValueLayout.JAVA_FLOAT));
            }
            return gradients;
        }

        @Override
        public void close() {
            plan.close();
        }
    }

    @Test
    void aDenseBlockInOneBufferGivesTheGradientsOfOneThatIsCopied() {
        try (Block together = new Block(false);
                Block apart = new Block(true)) {
            Map<String, float[]> expected = apart.gradients();
            together.gradients()
                    .forEach((name, gradient) -> assertThat(largestDifference(gradient, expected.get(name)))
                            .as(name)
                            .isLessThan(1e-5f));
        }
    }

    private static float largestDifference(float[] a, float[] b) {
        float largest = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs(a[i] - b[i]));
        }
        return largest;
    }

    @Test
    void aDenseBlockIsNotCopied() {
        try (Block together = new Block(false);
                Block apart = new Block(true)) {
            assertThat(together.plan.size()).isEqualTo(apart.plan.size() - LAYERS);
            assertThat(Plan.memory(together.graph).total())
                    .isLessThan(Plan.memory(apart.graph).total());
        }
    }

    @Test
    void copiesChannelsBesideEachOther() {
        Tensor a = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 2f, 5f, 6f);
        Tensor b = Tensor.allocate(context, DType.F32, 2, 1).set(3f, 7f);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 3);
        new Concat().forward(context, a, b, y);
        assertThat(y.toFloatArray()).containsExactly(1, 2, 3, 5, 6, 7);
    }

    @Test
    void refusesOtherRowsAndNoChannels() {
        Graph graph = new Graph();
        Value a = graph.input("a", TensorType.f32(2, 3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Concat().apply(graph, a, graph.input("b", TensorType.f32(3, 3))))
                .withMessageContaining("concat: b is F32 [3, 3], expected F32 [2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Concat().apply(graph, a, graph.input("none", TensorType.f32(2, 0))))
                .withMessageContaining("expected channels in both");
    }
}
