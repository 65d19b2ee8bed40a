package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Operation;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class BatchNormTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static final float EPS = 1e-12f;

    private final BatchNorm norm = BatchNorm.of(EPS, 0.1f);
    private final Tensor x = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 10f, 3f, 30f);
    private final Tensor weight = Tensor.allocate(context, DType.F32, 2).set(1f, 2f);
    private final Tensor bias = Tensor.allocate(context, DType.F32, 2).set(0f, 5f);
    private final Tensor runningMean = Tensor.allocate(context, DType.F32, 2);
    private final Tensor runningVar = Tensor.allocate(context, DType.F32, 2).set(1f, 1f);
    private final Tensor tracked = Tensor.allocate(context, DType.I64);
    private final Tensor y = Tensor.allocate(context, DType.F32, 2, 2);
    private final Tensor savedMean = Tensor.allocate(context, DType.F32, 2);
    private final Tensor savedInvStd = Tensor.allocate(context, DType.F32, 2);

    private void train(BatchNorm batchNorm, Tensor residual) {
        batchNorm.forwardTraining(
                context,
                x,
                weight,
                bias,
                residual,
                null,
                runningMean,
                runningVar,
                tracked,
                y,
                savedMean,
                savedInvStd,
                null);
    }

    @Test
    void trainingNormalizesEveryChannel() {
        train(norm, null);
        assertThat(y.toFloatArray()).containsExactly(new float[] {-1, 3, 1, 7}, within(1e-5f));
        assertThat(savedMean.toFloatArray()).containsExactly(new float[] {2, 20}, within(1e-5f));
        assertThat(savedInvStd.toFloatArray()).containsExactly(new float[] {1, 0.1f}, within(1e-5f));
    }

    @Test
    void runningStatisticsFollowWithTheUnbiasedVariance() {
        train(norm, null);
        assertThat(runningMean.toFloatArray()).containsExactly(new float[] {0.2f, 2}, within(1e-5f));
        assertThat(runningVar.toFloatArray()).containsExactly(new float[] {1.1f, 20.9f}, within(1e-4f));
        assertThat(tracked.item()).isEqualTo(1);
    }

    @Test
    void theResidualIsAddedBeforeTheActivation() {
        Tensor residual = Tensor.allocate(context, DType.F32, 2, 2).set(0f, -4f, -3f, 0f);
        train(norm.with(Pointwise.RELU, 0), residual);
        assertThat(y.toFloatArray()).containsExactly(new float[] {0, 0, 0, 7}, within(1e-5f));
    }

    @Test
    void inferenceNormalizesByTheGivenStatistics() {
        norm.forwardInference(context, x, weight, bias, null, null, runningMean, runningVar, y, null);
        assertThat(y.toFloatArray()).containsExactly(new float[] {1, 25, 3, 65}, within(1e-4f));
    }

    @Test
    void aConstantGradientVanishesButForTheBias() {
        train(norm, null);
        Tensor dy = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 1f, 1f, 1f);
        Tensor dweight = Tensor.allocate(context, DType.F32, 2);
        Tensor dbias = Tensor.allocate(context, DType.F32, 2);
        norm.backward(
                context, x, dy, weight, bias, null, null, savedMean, savedInvStd, null, dy, null, dweight, dbias, null);
        assertThat(dy.toFloatArray()).containsExactly(new float[] {0, 0, 0, 0}, within(1e-5f));
        assertThat(dweight.toFloatArray()).containsExactly(new float[] {0, 0}, within(1e-5f));
        assertThat(dbias.toFloatArray()).containsExactly(new float[] {2, 2}, within(1e-5f));
    }

    @Test
    void veluGivesMomentsAndTheGradientOfLambda() {
        BatchNorm withVelu = norm.with(VeluParameters.released(), 0.1f);
        Tensor lambda = Tensor.allocate(context, DType.F32).set(1f);
        Tensor moments = Tensor.allocate(context, DType.F32, 3);
        withVelu.forwardTraining(
                context, x, weight, bias, null, lambda, null, null, null, y, savedMean, savedInvStd, moments);
        float sum = 0;
        for (float value : y.toFloatArray()) {
            sum += value;
        }
        assertThat(moments.toFloatArray()[0]).isCloseTo(sum / 4, within(1e-5f));
        Tensor dy = Tensor.allocate(context, DType.F32, 2, 2).set(1f, 1f, 1f, 1f);
        Tensor dlambda = Tensor.allocate(context, DType.F32);
        Tensor dweight = Tensor.allocate(context, DType.F32, 2);
        Tensor dbias = Tensor.allocate(context, DType.F32, 2);
        withVelu.backward(
                context,
                x,
                dy,
                weight,
                bias,
                null,
                lambda,
                savedMean,
                savedInvStd,
                moments,
                dy,
                null,
                dweight,
                dbias,
                dlambda);
        assertThat(dlambda.item()).isCloseTo(sum, within(1e-4));
    }

    private static List<TensorType> trainingInputs(TensorType x, TensorType residual, TensorType lambda) {
        TensorType channels = TensorType.f32(2);
        return Arrays.asList(x, channels, channels, residual, lambda, channels, channels, null);
    }

    private Operation training() {
        return new BatchNorm.ForwardTraining(norm, false);
    }

    @Test
    void oneValuePerChannelIsTooFewForTraining() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(trainingInputs(TensorType.f32(1, 2), null, null)))
                .withMessageContaining("x [1, 2] has 1 values per channel, expected at least 2");
    }

    @Test
    void threeAxesAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(trainingInputs(TensorType.f32(2, 2, 2), null, null)))
                .withMessage("batch_norm_forward_training: x has shape [2, 2, 2], expected [N, H, W, C] or [N, C]");
    }

    @Test
    void aResidualOfAnotherShapeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(trainingInputs(TensorType.f32(4, 2), TensorType.f32(2, 2), null)))
                .withMessage("batch_norm_forward_training: residual is F32 [2, 2], expected F32 [4, 2]");
    }

    @Test
    void lambdaWithoutVeluIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(trainingInputs(TensorType.f32(4, 2), null, TensorType.f32())))
                .withMessageContaining("lambda is given, but the activation is none");
    }

    @Test
    void parametersOfOtherChannelsAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(trainingInputs(TensorType.f32(4, 3), null, null)))
                .withMessage("batch_norm_forward_training: weight is F32 [2], expected F32 [3]");
    }

    @Test
    void oneRunningStatisticAloneIsNamed() {
        List<TensorType> inputs = trainingInputs(TensorType.f32(4, 2), null, null);
        inputs.set(6, null);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> training().infer(inputs))
                .withMessageContaining("one of runningMean and runningVar is missing");
    }

    @Test
    void momentsWithoutVeluAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new BatchNorm.ForwardTraining(norm.with(Pointwise.SILU, 0), true))
                .withMessageContaining("the activation is silu");
    }

    @Test
    void constantsOutsideTheirRangeAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BatchNorm.of(0, 0.1f))
                .withMessageContaining("eps 0.0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BatchNorm.of(1e-5f, 1.5f))
                .withMessageContaining("momentum 1.5 is outside [0, 1]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.with(Pointwise.RELU, 0.1f))
                .withMessageContaining("needs the activation VeLU, not relu");
    }
}
