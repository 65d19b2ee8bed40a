package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Value;
import dev.velu.selftest.oracle.ChannelScaleOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ChannelScaleTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final ChannelScale operation = new ChannelScale();

    private final Graph graph = new Graph();
    private final Value x = graph.input("x", TensorType.f32(2, 3, 3, 4));
    private final Value scale = graph.input("scale", TensorType.f32(2, 1, 1, 4));

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    @Test
    void everyImageHasItsOwnFactors() {
        Tensor images = tensor(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 1, 2, 2);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 1, 2, 2);
        operation.forward(context, images, tensor(new float[] {1, 10, 2, 3}, 2, 1, 1, 2), y);
        assertThat(y.toFloatArray()).containsExactly(1, 20, 3, 40, 10, 18, 14, 24);
    }

    @Test
    void agreesWithTheReferenceOnOddShapes() {
        ChannelScaleOracle oracle = new ChannelScaleOracle(3, 35, 33);
        float[] image = Values.normal(1, oracle.xSize());
        float[] factors = Values.normal(2, oracle.scaleSize());
        float[] dy = Values.normal(3, oracle.xSize());
        Tensor dx = Tensor.allocate(context, DType.F32, 3, 5, 7, 33);
        Tensor dscale = Tensor.allocate(context, DType.F32, 3, 1, 1, 33);
        operation.backward(
                context, tensor(image, 3, 5, 7, 33), tensor(factors, 3, 1, 1, 33), tensor(dy, 3, 5, 7, 33), dx, dscale);
        Values.assertClose(dx, oracle.forward(Values.wide(dy), Values.wide(factors)), 1e-6);
        Values.assertClose(dscale, oracle.backwardScale(Values.wide(image), Values.wide(dy)), 2e-5);
    }

    @Test
    void aScaleOfAnotherShapeIsNamed() {
        Tensor images = Tensor.allocate(context, DType.F32, 2, 3, 3, 4);
        Tensor factors = Tensor.allocate(context, DType.F32, 2, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> operation.forward(context, images, factors, images))
                .withMessage("channel_scale_forward: scale is F32 [2, 4], expected F32 [2, 1, 1, 4]");
    }

    private Value convolution(Conv2d conv, long kernel, boolean bias) {
        long in = 4 / conv.groups();
        return conv.apply(
                graph,
                operation.apply(graph, x, scale),
                graph.input("weight", TensorType.f32(8, kernel, kernel, in)),
                bias ? graph.input("bias", TensorType.f32(8)) : null);
    }

    private int nodesAfterFusion() {
        Fusion.fuse(graph, true);
        return graph.nodes().size();
    }

    @Test
    void aOneByOneConvolutionJoins() {
        Value y = convolution(Conv2d.of(1, 0), 1, false);
        assertThat(nodesAfterFusion()).isEqualTo(1);
        Node joined = graph.nodes().getFirst();
        assertThat(joined.operation()).isEqualTo(new ScaledLinear.Forward());
        assertThat(joined.inputs()).startsWith(x, scale);
        assertThat(joined.outputs()).containsExactly(y);
        assertThat(joined.operation().infer(joined.inputTypes())).isEqualTo(joined.outputTypes());
    }

    @Test
    void aConvolutionWithABiasStays() {
        convolution(Conv2d.of(1, 0), 1, true);
        assertThat(nodesAfterFusion()).isEqualTo(2);
    }

    @Test
    void aLargerKernelStays() {
        convolution(Conv2d.of(1, 1), 3, false);
        assertThat(nodesAfterFusion()).isEqualTo(2);
    }

    @Test
    void aStrideStays() {
        convolution(Conv2d.of(2, 0), 1, false);
        assertThat(nodesAfterFusion()).isEqualTo(2);
    }

    @Test
    void groupsStay() {
        convolution(new Conv2d(1, 1, 0, 0, 1, 1, 2), 1, false);
        assertThat(nodesAfterFusion()).isEqualTo(2);
    }

    @Test
    void aScaledTensorThatIsReadTwiceStays() {
        Value scaled = operation.apply(graph, x, scale);
        Value weight = graph.input("weight", TensorType.f32(4, 1, 1, 4));
        new Add().apply(graph, scaled, Conv2d.of(1, 0).apply(graph, scaled, weight, null));
        assertThat(nodesAfterFusion()).isEqualTo(3);
    }
}
