package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class Conv2dTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Conv2d conv = Conv2d.of(1, 0);
    private final Tensor x = Tensor.allocate(context, DType.F32, 1, 2, 2, 1).set(1f, 2f, 3f, 4f);
    private final Tensor weight =
            Tensor.allocate(context, DType.F32, 1, 2, 2, 1).set(1f, 10f, 100f, 1000f);
    private final Tensor y = Tensor.allocate(context, DType.F32, 1, 1, 1, 1);

    @Test
    void correlatesAndAddsTheBias() {
        conv.forward(context, x, weight, Tensor.allocate(context, DType.F32, 1).set(0.5f), y);
        assertThat(y.item()).isEqualTo(4321.5);
        conv.forward(context, x, weight, null, y);
        assertThat(y.item()).isEqualTo(4321);
    }

    @Test
    void theActivationIsAppliedToTheSum() {
        Tensor bias = Tensor.allocate(context, DType.F32, 1).set(-4320f);
        conv.forward(context, x, weight, bias, Pointwise.SIGMOID, y);
        assertThat(y.item()).isCloseTo(0.7310586, within(1e-6));
        conv.forward(context, x, weight, bias, Pointwise.RELU6, y);
        assertThat(y.item()).isEqualTo(1);
    }

    private Node followedBy(Pointwise function, boolean differentiated) {
        Graph graph = new Graph();
        Value image = graph.input("image", TensorType.f32(1, 4, 4, 2));
        Value kernel = graph.parameter(new Parameter(
                "kernel",
                TensorType.f32(3, 3, 3, 2),
                Parameter.Role.WEIGHT,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0)));
        new Activation(function).apply(graph, conv.apply(graph, image, kernel, null));
        Fusion.fuse(graph, differentiated);
        return graph.nodes().getLast();
    }

    @Test
    void anActivationWhoseGradientNeedsOnlyItsResultJoins() {
        for (Pointwise function : new Pointwise[] {Pointwise.RELU, Pointwise.RELU6}) {
            assertThat(followedBy(function, true).operation()).isEqualTo(new Conv2d.Forward(conv, function));
        }
    }

    @Test
    void anyActivationJoinsWithoutAGradientAndNoOtherWithOne() {
        for (Pointwise function : new Pointwise[] {Pointwise.SILU, Pointwise.GELU, Pointwise.SIGMOID}) {
            assertThat(followedBy(function, false).operation()).isEqualTo(new Conv2d.Forward(conv, function));
            assertThat(followedBy(function, true).operation()).isEqualTo(new Activation.Forward(function));
        }
    }

    @Test
    void aSecondActivationStays() {
        Graph graph = new Graph();
        Value image = graph.input("image", TensorType.f32(1, 4, 4, 2));
        Value kernel = graph.input("kernel", TensorType.f32(3, 3, 3, 2));
        Activation relu = new Activation(Pointwise.RELU);
        relu.apply(graph, relu.apply(graph, conv.apply(graph, image, kernel, null)));
        Fusion.fuse(graph, false);
        assertThat(graph.nodes()).hasSize(2);
    }

    @Test
    void gradientsAreTheOtherOperandScaled() {
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 1, 1, 1).set(2f);
        Tensor dx = Tensor.allocate(context, DType.F32, 1, 2, 2, 1);
        Tensor dweight = Tensor.allocate(context, DType.F32, 1, 2, 2, 1);
        Tensor dbias = Tensor.allocate(context, DType.F32, 1);
        conv.backwardData(context, dy, weight, dx);
        conv.backwardWeights(context, x, dy, dweight, dbias);
        assertThat(dx.toFloatArray()).containsExactly(2, 20, 200, 2000);
        assertThat(dweight.toFloatArray()).containsExactly(2, 4, 6, 8);
        assertThat(dbias.item()).isEqualTo(2);
    }

    @Test
    void outputSizeFollowsStridePaddingAndDilation() {
        Conv2d strided = new Conv2d(2, 1, 1, 2, 1, 2, 1);
        List<TensorType> y = new Conv2d.Forward(strided)
                .infer(Arrays.asList(TensorType.f32(4, 9, 9, 3), TensorType.f32(8, 3, 3, 3), null));
        assertThat(y).containsExactly(TensorType.f32(4, 5, 9, 8));
    }

    @Test
    void aWeightForOtherChannelsIsNamed() {
        Tensor deep = Tensor.allocate(context, DType.F32, 1, 2, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> conv.forward(context, x, deep, null, y))
                .withMessageContaining("conv2d_forward: weight [1, 2, 2, 3]")
                .withMessageContaining("x [1, 2, 2, 1]");
    }

    @Test
    void aWeightOfAnotherDtypeIsNamed() {
        Tensor half = Tensor.allocate(context, DType.BF16, 1, 2, 2, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> conv.forward(context, x, half, null, y))
                .withMessageContaining("weight is BF16 [1, 2, 2, 1], expected the dtype F32 of x");
    }

    @Test
    void anImageSmallerThanTheKernelIsNamed() {
        Tensor wide = Tensor.allocate(context, DType.F32, 1, 3, 3, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> conv.forward(context, x, wide, null, y))
                .withMessageContaining("x [1, 2, 2, 1] is smaller than the kernel");
    }

    @Test
    void anImageWithoutABatchAxisIsNamed() {
        Tensor image = Tensor.allocate(context, DType.F32, 2, 2, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> conv.forward(context, image, weight, null, y))
                .withMessage("conv2d_forward: x has shape [2, 2, 1], expected 4 axes");
    }

    @Test
    void constantsOutsideTheirRangeAreNamed() {
        assertThatIllegalArgumentException().isThrownBy(() -> Conv2d.of(0, 0)).withMessage("stride 0 is not positive");
        assertThatIllegalArgumentException().isThrownBy(() -> Conv2d.of(1, -1)).withMessageContaining("padding -1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Conv2d(1, 1, 0, 0, 1, 1, 0))
                .withMessage("groups 0 is not positive");
    }

    @Test
    void macsOfAGroupedConvolutionCountItsOwnChannels() {
        List<TensorType> inputs = Arrays.asList(TensorType.f32(1, 4, 4, 8), TensorType.f32(8, 3, 3, 1), null);
        Operation depthwise = new Conv2d.Forward(new Conv2d(1, 1, 1, 1, 1, 1, 8));
        assertThat(depthwise.macs(inputs, depthwise.infer(inputs))).isEqualTo(4 * 4 * 8 * 9);
    }
}
