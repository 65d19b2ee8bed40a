package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Operation;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
import dev.velu.selftest.oracle.ScaledLinearOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ScaledLinearTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final ScaledLinear operation = new ScaledLinear();

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    private Tensor empty(long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes);
    }

    @Test
    void multipliesTheScaledChannelsByTheWeight() {
        Tensor y = empty(1, 1, 2, 1);
        operation.forward(
                context,
                tensor(new float[] {1, 2, 3, 4}, 1, 1, 2, 2),
                tensor(new float[] {10, 100}, 1, 1, 1, 2),
                tensor(new float[] {1, 2}, 1, 1, 1, 2),
                y);
        assertThat(y.toFloatArray()).containsExactly(410, 830);
    }

    @Test
    void agreesWithTheReferenceOnOddShapes() {
        ScaledLinearOracle oracle = new ScaledLinearOracle(3, 35, 33, 17);
        float[] image = Values.normal(1, oracle.xSize());
        float[] factors = Values.normal(2, 3 * 33);
        float[] matrix = Values.normal(3, 17 * 33);
        float[] gradient = Values.normal(4, oracle.ySize());
        Tensor x = tensor(image, 3, 5, 7, 33);
        Tensor scale = tensor(factors, 3, 1, 1, 33);
        Tensor weight = tensor(matrix, 17, 1, 1, 33);
        Tensor dy = tensor(gradient, 3, 5, 7, 17);
        double[] wideX = Values.wide(image);
        double[] wideScale = Values.wide(factors);
        double[] wideWeight = Values.wide(matrix);
        double[] wideDy = Values.wide(gradient);
        Tensor y = empty(3, 5, 7, 17);
        operation.forward(context, x, scale, weight, y);
        Values.assertClose(y, oracle.forward(wideX, wideScale, wideWeight), 5e-5);
        Tensor dx = empty(3, 5, 7, 33);
        Tensor dscale = empty(3, 1, 1, 33);
        operation.backwardData(context, x, scale, dy, weight, dx, dscale);
        Values.assertClose(dx, oracle.backwardX(wideScale, wideDy, wideWeight), 5e-5);
        Values.assertClose(dscale, oracle.backwardScale(wideX, wideDy, wideWeight), 2e-4);
        Tensor dweight = empty(17, 1, 1, 33);
        operation.backwardWeights(context, x, scale, dy, dweight);
        Values.assertClose(dweight, oracle.backwardWeights(wideX, wideScale, wideDy), 2e-4);
    }

    @Test
    void aWeightOfALargerKernelIsNamed() {
        Tensor x = empty(1, 2, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> operation.forward(context, x, empty(1, 1, 1, 3), empty(5, 3, 3, 3), empty(1, 2, 2, 5)))
                .withMessage(
                        "scaled_linear_forward: weight has shape [5, 3, 3, 3], expected [O, 1, 1, 3] for x [1, 2, 2,"
                                + " 3]");
    }

    @Test
    void aGradientOfOtherPixelsIsNamed() {
        Tensor x = empty(1, 2, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        operation.backwardWeights(context, x, empty(1, 1, 1, 3), empty(1, 4, 1, 5), empty(5, 1, 1, 3)))
                .withMessage("scaled_linear_backward_weights: dy is F32 [1, 4, 1, 5], expected F32 [1, 2, 2, 5]");
    }

    @Test
    void macsAreThoseOfTheConvolution() {
        List<TensorType> inputs =
                List.of(TensorType.f32(2, 3, 3, 4), TensorType.f32(2, 1, 1, 4), TensorType.f32(8, 1, 1, 4));
        Operation forward = new ScaledLinear.Forward();
        assertThat(forward.macs(inputs, forward.infer(inputs))).isEqualTo(2 * 9 * 4 * 8);
    }

    @Test
    void theGradientOfACastWeightIsFloat32AndOfItsShape() {
        Graph graph = new Graph();
        TensorType images = new TensorType(DType.BF16, Shape.of(2, 3, 3, 4));
        Value x = graph.input("x", images);
        Value scale = graph.input("scale", new TensorType(DType.BF16, Shape.of(2, 1, 1, 4)));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
        Parameter parameter = new Parameter(
                "weight",
                TensorType.f32(5, 1, 1, 4),
                Parameter.Role.WEIGHT,
                Parameter.Layout.CONVOLUTION,
                SmallNetwork.RANDOM);
        Value y = Conv2d.of(1, 0)
                .apply(graph, new ChannelScale().apply(graph, x, scale), graph.parameter(parameter), null);
        Value logits = new Cast(DType.F32).apply(graph, new GlobalAvgPool().apply(graph, y));
        Value loss = new SoftmaxCrossEntropy(0).apply(graph, logits, labels);
        Fusion.fuse(graph, true);
        assertThat(graph.nodes()).anyMatch(node -> node.operation() instanceof ScaledLinear.Forward);
        Map<Parameter, Value> gradients = Autodiff.differentiate(graph, loss);
        assertThat(gradients.get(parameter).type()).isEqualTo(parameter.type());
    }
}
