package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
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
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TransposeTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static float[] counting(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        return values;
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void rowsBecomeColumns(DType dtype) {
        Tensor x = Tensor.allocate(context, dtype, 2, 3).set(1f, 2f, 3f, 4f, 5f, 6f);
        Tensor y = Tensor.allocate(context, dtype, 3, 2);
        Transpose.matrix().forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1, 4, 2, 5, 3, 6);
    }

    @Test
    void channelsGoLastAndBackAgain() {
        Tensor x = Tensor.allocate(context, DType.F32, 3, 5, 7, 11).set(counting(3 * 5 * 7 * 11));
        Tensor y = Tensor.allocate(context, DType.F32, 3, 7, 11, 5);
        Tensor back = Tensor.allocate(context, DType.F32, 3, 5, 7, 11);
        Transpose.nchwToNhwc().forward(context, x, y);
        Transpose.nhwcToNchw().forward(context, y, back);
        float[] nhwc = y.toFloatArray();
        for (int n = 0; n < 3; n++) {
            for (int c = 0; c < 5; c++) {
                for (int pixel = 0; pixel < 77; pixel++) {
                    assertThat(nhwc[(n * 77 + pixel) * 5 + c]).isEqualTo((n * 5 + c) * 77 + pixel);
                }
            }
        }
        assertThat(back.toFloatArray()).containsExactly(x.toFloatArray());
    }

    @Test
    void theGradientIsTransposedBack() {
        Graph graph = new Graph();
        Parameters parameters = new Parameters();
        Parameter weight = parameters.declare(new Parameter(
                "weight",
                TensorType.f32(3, 2),
                Parameter.Role.WEIGHT,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0)));
        Value x = graph.input("x", TensorType.f32(1, 3));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(1)));
        Value transposed = Transpose.matrix().apply(graph, graph.parameter(weight));
        Value logits = new Linear().apply(graph, x, transposed, null);
        Autodiff.differentiate(graph, new SoftmaxCrossEntropy(0).apply(graph, logits, labels));
        parameters.allocate(context, true);
        parameters.initialize(0);
        try (Plan plan = Plan.of(graph, parameters, context)) {
            context.upload(MemorySegment.ofArray(new float[] {1, 2, 3}), plan.input("x"));
            plan.run();
        }
        // Equal logits of two classes and label 0: dlogits are -1/2 and 1/2.
        assertThat(parameters.gradient(weight).toArray(ValueLayout.JAVA_FLOAT))
                .containsExactly(-0.5f, 0.5f, -1, 1, -1.5f, 1.5f);
    }

    @Test
    void theGradientOfImagesHasTheirAxesInTheirOrder() {
        Graph graph = new Graph();
        Parameter images = new Parameter(
                "images",
                TensorType.f32(2, 3, 4, 5),
                Parameter.Role.WEIGHT,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0));
        Value labels = graph.input("labels", new TensorType(DType.I32, Shape.of(2)));
        Value nhwc = Transpose.nchwToNhwc().apply(graph, graph.parameter(images));
        Value logits = new GlobalAvgPool().apply(graph, nhwc);
        Value gradient = Autodiff.differentiate(graph, new SoftmaxCrossEntropy(0).apply(graph, logits, labels))
                .get(images);
        assertThat(gradient.type()).isEqualTo(images.type());
    }

    @Test
    void tooFewAxesAreNamed() {
        Tensor x = Tensor.allocate(context, DType.F32, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transpose.nchwToNhwc().forward(context, x, x))
                .withMessage(
                        "transpose_forward: x has shape [2, 3], expected more than 2 axes: 1 of the batch, 1 of the"
                                + " rows, and those of the columns");
    }

    @Test
    void impossibleNumbersOfAxesAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Transpose(-1, 1))
                .withMessage("number of batch axes -1 is negative");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Transpose(0, 0))
                .withMessage("number of row axes 0 is not positive");
    }

    @Test
    void anOutputOfTheInputsShapeIsNamed() {
        Tensor x = Tensor.allocate(context, DType.F32, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transpose.matrix().forward(context, x, Tensor.allocate(context, DType.F32, 2, 3)))
                .withMessage("transpose_forward: output 0 is F32 [2, 3], expected F32 [3, 2]");
    }
}
