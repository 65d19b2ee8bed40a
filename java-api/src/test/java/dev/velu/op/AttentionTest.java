package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Operation;
import dev.velu.selftest.oracle.AttentionOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class AttentionTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    @Test
    void equalScoresAverageTheValues() {
        // Two tokens of one channel: q, k, v of the first, then of the second.
        Tensor qkv = tensor(new float[] {0, 5, 1, 0, 7, 3}, 1, 2, 3);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2, 1);
        Tensor logSumExp = Tensor.allocate(context, DType.F32, 1, 1, 2);
        new Attention(1).forward(context, qkv, y, logSumExp);
        assertThat(y.toFloatArray()).containsExactly(2, 2);
        Values.assertClose(logSumExp, new double[] {Math.log(2), Math.log(2)}, 1e-6);
    }

    @Test
    void scoresAreDividedByTheRootOfTheHeadSize() {
        // One head of four channels: q k = 8, over 2; the other key gives 0.
        float[] tokens = {
            2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        };
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2, 4);
        new Attention(1).forward(context, tensor(tokens, 1, 2, 12), y, null);
        Values.assertClose(y, new double[] {1 / (1 + Math.exp(-4)), 0, 0, 0, 0.5, 0, 0, 0}, 1e-6);
    }

    @Test
    void agreesWithTheReferenceOnOddShapes() {
        AttentionOracle oracle = new AttentionOracle(2, 17, 3, 5, (float) (1 / Math.sqrt(5)));
        float[] qkv = Values.normal(1, oracle.qkvSize());
        float[] dy = Values.normal(2, oracle.ySize());
        AttentionOracle.Forward expected = oracle.forward(Values.wide(qkv));
        Tensor input = tensor(qkv, 2, 17, 45);
        Tensor y = Tensor.allocate(context, DType.F32, 2, 17, 15);
        Tensor logSumExp = Tensor.allocate(context, DType.F32, 2, 3, 17);
        Attention attention = new Attention(3);
        attention.forward(context, input, y, logSumExp);
        Values.assertClose(y, expected.y(), 1e-5);
        Values.assertClose(logSumExp, expected.logSumExp(), 1e-5);
        Tensor dqkv = Tensor.allocate(context, DType.F32, 2, 17, 45);
        attention.backward(context, input, y, tensor(dy, 2, 17, 15), logSumExp, dqkv);
        Values.assertClose(
                dqkv, oracle.backward(Values.wide(qkv), Values.wide(dy)).dqkv(), 2e-5);
    }

    @Test
    void noImagesAreNoWork() {
        Tensor qkv = Tensor.allocate(context, DType.F32, 0, 3, 6);
        new Attention(2).forward(context, qkv, Tensor.allocate(context, DType.F32, 0, 3, 2), null);
    }

    @Test
    void headsThatDoNotDivideTheChannelsAreNamed() {
        Tensor qkv = Tensor.allocate(context, DType.F32, 1, 2, 12);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Attention(3).forward(context, qkv, qkv, null))
                .withMessage(
                        "attention_forward: qkv has shape [1, 2, 12], expected [N, T, 3 E] with tokens and a number"
                                + " of channels E that 3 heads divide");
    }

    @Test
    void noHeadsAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Attention(0))
                .withMessage("number of attention heads 0 is not positive");
    }

    @Test
    void aGradientOfAnotherShapeIsNamed() {
        Tensor qkv = Tensor.allocate(context, DType.F32, 1, 2, 3);
        Tensor y = Tensor.allocate(context, DType.F32, 1, 2, 1);
        Tensor dy = Tensor.allocate(context, DType.F32, 1, 3, 1);
        Tensor logSumExp = Tensor.allocate(context, DType.F32, 1, 1, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Attention(1).backward(context, qkv, y, dy, logSumExp, qkv))
                .withMessage("attention_backward: dy is F32 [1, 3, 1], expected F32 [1, 2, 1]");
    }

    @Test
    void macsAreThoseOfBothProducts() {
        List<TensorType> inputs = List.of(TensorType.f32(2, 197, 3 * 768));
        Operation forward = new Attention.Forward(new Attention(12), true);
        assertThat(forward.macs(inputs, forward.infer(inputs))).isEqualTo(2L * 2 * 197 * 197 * 768);
    }
}
