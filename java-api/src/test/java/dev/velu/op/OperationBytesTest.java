package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.graph.Operation;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The bytes that operations must move, against what they are by hand. */
class OperationBytesTest {
    private static final long F32 = Float.BYTES;

    private static long bytes(Operation operation, TensorType... inputs) {
        return operation.bytes(Arrays.asList(inputs), operation.infer(Arrays.asList(inputs)));
    }

    @Test
    void everyOperandCountsOnce() {
        TensorType x = TensorType.f32(2, 3, 5);
        assertThat(bytes(new Add.Forward(), x, x)).isEqualTo(3 * 30 * F32);
    }

    @Test
    void bfloat16IsHalfOfFloat32() {
        TensorType x = new TensorType(DType.BF16, Shape.of(2, 3, 5));
        assertThat(bytes(new Add.Forward(), x, x)).isEqualTo(3 * 30 * F32 / 2);
    }

    @Test
    void gapsBetweenRowsDoNotCount() {
        TensorType x = TensorType.f32(6, 5).pitched(64);
        assertThat(bytes(new Cast.Forward(DType.F32), x)).isEqualTo(2 * 30 * F32);
    }

    @Test
    void aConvolutionDoesNotReadPixelsThatItsStridePassesOver() {
        TensorType x = TensorType.f32(1, 8, 8, 4);
        TensorType weight = TensorType.f32(6, 1, 1, 4);
        assertThat(bytes(new Conv2d.Forward(Conv2d.of(2, 0)), x, weight, null)).isEqualTo((16 * 4 + 24 + 16 * 6) * F32);
        assertThat(bytes(
                        new Conv2d.BackwardWeights(Conv2d.of(2, 0), weight.shape(), false),
                        x,
                        TensorType.f32(1, 4, 4, 6)))
                .isEqualTo((16 * 4 + 24 + 16 * 6) * F32);
    }

    @Test
    void aConvolutionWithALargerKernelReadsAllPixels() {
        TensorType x = TensorType.f32(1, 8, 8, 4);
        TensorType weight = TensorType.f32(6, 3, 3, 4);
        assertThat(bytes(new Conv2d.Forward(Conv2d.of(2, 1)), x, weight, null))
                .isEqualTo((64 * 4 + 9 * 24 + 16 * 6) * F32);
    }

    @Test
    void batchNormReadsItsInputTwiceInTraining() {
        BatchNorm norm = BatchNorm.of(1e-5f, 0.1f);
        TensorType x = TensorType.f32(100, 4);
        TensorType channels = TensorType.f32(4);
        assertThat(bytes(
                        new BatchNorm.ForwardTraining(norm, false),
                        x,
                        channels,
                        channels,
                        null,
                        null,
                        channels,
                        channels,
                        null))
                .isEqualTo((3 * 400 + 6 * 4) * F32);
        assertThat(bytes(
                        new BatchNorm.Backward(norm, false),
                        x,
                        x,
                        channels,
                        channels,
                        null,
                        null,
                        channels,
                        channels,
                        null,
                        null))
                .isEqualTo((5 * 400 + 6 * 4) * F32);
    }

    @Test
    void theOptimizerReadsAndWritesParametersAndStates() {
        TensorType scalar = TensorType.f32();
        TensorType flat = TensorType.f32(1000);
        TensorType counters = new TensorType(DType.F64, Shape.of(2));
        OptimizerStep adam = new OptimizerStep(OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE);
        assertThat(bytes(adam, scalar, null, counters, flat, flat, flat, flat)).isEqualTo(7 * 1000 * F32 + 4 + 16);
    }

    @Test
    void concatMovesOnlyWhatDoesNotLieInPlace() {
        TensorType a = TensorType.f32(10, 3);
        TensorType b = TensorType.f32(10, 5);
        List<TensorType> y = List.of(TensorType.f32(10, 8));
        assertThat(new Concat.Forward().bytes(List.of(a, b), y)).isEqualTo(2 * 80 * F32);
        assertThat(new Concat.Forward().bytes(List.of(a.pitched(8), b), y)).isEqualTo(2 * 50 * F32);
    }
}
