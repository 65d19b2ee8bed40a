package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Packing;
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
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class Conv2dPackedTest {
    private static final TensorType IMAGES = TensorType.f32(2, 5, 6, 4);
    private static final Conv2d CONVOLUTION = Conv2d.of(1, 1);
    private static final BatchNorm NORM = BatchNorm.defaults();

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 2, Isa.AUTO);

    private final Graph graph = new Graph();
    private final Parameters parameters = new Parameters();
    private final Value x = graph.input("x", IMAGES);

    private Value parameter(String name, float low, float high, long... sizes) {
        return graph.parameter(parameters.declare(new Parameter(
                name,
                TensorType.f32(sizes),
                Parameter.Role.WEIGHT,
                Parameter.Layout.PLAIN,
                new Initializer.Uniform(low, high))));
    }

    private Value conv(String name, Value from) {
        return CONVOLUTION.apply(graph, from, parameter(name, -1, 1, 4, 3, 3, 4), null);
    }

    private Value norm(String name, Value from) {
        return NORM.applyInference(
                graph,
                from,
                parameter(name + ".weight", -2, 2, 4),
                parameter(name + ".bias", -1, 1, 4),
                parameter(name + ".mean", -1, 1, 4),
                parameter(name + ".var", 0.1f, 2, 4));
    }

    private void fuse() {
        Packing.pack(graph, context);
        Fusion.fuse(graph, false);
    }

    private List<String> operations() {
        return graph.nodes().stream().map(node -> node.operation().name()).toList();
    }

    private float[] run(Plan plan) {
        MemorySegment images = plan.input("x");
        for (long i = 0; i < IMAGES.shape().elements(); i++) {
            images.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Math.sin(i));
        }
        plan.run();
        return plan.result("y").toArray(ValueLayout.JAVA_FLOAT);
    }

    /** conv, batch norm, the sum with a first convolution, ReLU. */
    private Value block() {
        Value shortcut = conv("shortcut", x);
        Value sum = new Add().apply(graph, norm("norm", conv("conv", x)), shortcut);
        return new Activation(Pointwise.RELU).apply(graph, sum);
    }

    private float[] result() {
        try (Plan plan = Plan.of(graph, parameters, context)) {
            return run(plan);
        }
    }

    @Test
    void batchNormResidualAndActivationAreInTheConvolution() {
        graph.result("y", block());
        fuse();
        assertThat(operations())
                .containsExactly(
                        "conv2d_pack",
                        "batch_norm_fold",
                        "conv2d_pack",
                        "conv2d_packed_forward",
                        "conv2d_packed_forward");
        assertThat(graph.nodes().getLast().input(3))
                .isSameAs(graph.nodes().get(3).output(0));
    }

    @Test
    void theResultIsThatOfTheSeparateOperations() {
        graph.result("y", block());
        parameters.allocate(context, false);
        parameters.initialize(7);
        float[] apart = result();
        fuse();
        float[] packed = result();
        assertThat(packed).containsExactly(apart, within(2e-5f));
        assertThat(apart).contains(0f);
    }

    @Test
    void aRunIsOneCallPerConvolution() {
        graph.result("y", block());
        fuse();
        parameters.allocate(context, false);
        try (Plan plan = Plan.of(graph, parameters, context)) {
            assertThat(plan.size()).isEqualTo(2);
        }
    }

    @Test
    void aChangedParameterCountsFromTheNextRefreshOn() {
        graph.result("y", block());
        fuse();
        parameters.allocate(context, false);
        parameters.initialize(7);
        try (Plan plan = Plan.of(graph, parameters, context)) {
            float[] before = run(plan);
            parameters.initialize(8);
            assertThat(run(plan)).containsExactly(before);
            plan.refresh();
            float[] after = run(plan);
            assertThat(after).isNotEqualTo(before);
            try (Plan fresh = Plan.of(graph, parameters, context)) {
                assertThat(run(fresh)).containsExactly(after);
            }
        }
    }

    @Test
    void packedParametersArePartOfThePlannedMemory() {
        graph.result("y", block());
        assertThat(Plan.memory(graph).constants()).isZero();
        fuse();
        assertThat(Plan.memory(graph).constants()).isGreaterThanOrEqualTo(2L * 4 * 3 * 3 * 4 * Float.BYTES);
    }

    @Test
    void aConvolutionReadByOthersKeepsItsResult() {
        Value y = conv("conv", x);
        graph.result("y", new Add().apply(graph, norm("norm", y), y));
        fuse();
        assertThat(operations())
                .containsExactly("conv2d_pack", "conv2d_packed_forward", "batch_norm_forward_inference");
    }

    @Test
    void aComputedWeightIsNotPacked() {
        Value weight = new Activation(Pointwise.RELU).apply(graph, graph.input("w", TensorType.f32(4, 3, 3, 4)));
        graph.result("y", CONVOLUTION.apply(graph, x, weight, null));
        fuse();
        assertThat(operations()).containsExactly("activation_forward", "conv2d_forward");
    }

    @Test
    void veluStaysBehindTheConvolutionThatTookTheNorm() {
        Value z = norm("norm", conv("conv", x));
        graph.result(
                "y",
                new Velu(VeluParameters.released(), 0)
                        .apply(graph, z, null, false)
                        .y());
        fuse();
        assertThat(operations())
                .containsExactly("batch_norm_fold", "conv2d_pack", "conv2d_packed_forward", "velu_forward");
    }

    @Test
    void theConversionOfAParameterIsNotRepeatedByEveryRun() {
        Value half = new Cast(DType.BF16).apply(graph, parameter("w", -1, 1, 8));
        graph.result("y", new Cast(DType.F32).apply(graph, half));
        Packing.pack(graph, context);
        assertThat(half.storage()).isEqualTo(Value.Storage.CONSTANT);
    }

    @Test
    void eagerResultMatchesTheFormula() {
        Conv2dPacked form = new Conv2dPacked(Conv2d.of(1, 0), Shape.of(1, 2, 2, 1));
        try (Tensor image = Tensor.allocate(context, DType.F32, 1, 2, 2, 1).set(1f, 2f, 3f, 4f);
                Tensor weight = Tensor.allocate(context, DType.F32, 1, 2, 2, 1).set(1f, 10f, 100f, 1000f);
                Tensor bias = Tensor.allocate(context, DType.F32, 1).set(3f);
                Tensor scale = Tensor.allocate(context, DType.F32, 1).set(2f);
                Tensor shift = Tensor.allocate(context, DType.F32, 1).set(0.5f);
                Tensor packed = Tensor.allocate(
                        context,
                        DType.U8,
                        form.packedType(context, image.type()).shape().size(0));
                Tensor packedBias = Tensor.allocate(context, DType.F32, 1);
                Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 1, 1).set(1000f)) {
            form.pack(context, image.type(), weight, bias, scale, shift, packed, packedBias);
            assertThat(packedBias.item()).isEqualTo(6.5);
            form.forward(context, image, packed, packedBias, y, Pointwise.RELU, y);
            assertThat(y.item()).isCloseTo(1000 + 2 * 4321 + 6.5, within(1e-3));
        }
    }

    @Test
    void anotherSizeOfThePackedWeightIsRefused() {
        Conv2dPacked form = new Conv2dPacked(CONVOLUTION, Shape.of(4, 3, 3, 4));
        try (Tensor weight = Tensor.allocate(context, DType.F32, 4, 3, 3, 4);
                Tensor packed = Tensor.allocate(context, DType.U8, 64);
                Tensor packedBias = Tensor.allocate(context, DType.F32, 4)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> form.pack(context, IMAGES, weight, null, null, null, packed, packedBias))
                    .withMessageContaining("conv2d_pack: packed is U8 [64], expected U8 [");
        }
    }
}
