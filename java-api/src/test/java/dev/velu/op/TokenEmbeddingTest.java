package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.oracle.TokenEmbeddingOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class TokenEmbeddingTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final TokenEmbedding embedding = new TokenEmbedding();

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    private Tensor empty(long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes);
    }

    @Test
    void theClassTokenComesBeforeThePatches() {
        Tensor y = empty(2, 2, 1);
        embedding.forward(
                context,
                tensor(new float[] {5, 6}, 2, 1, 1),
                tensor(new float[] {1}, 1, 1, 1),
                tensor(new float[] {10, 20}, 1, 2, 1),
                y);
        assertThat(y.toFloatArray()).containsExactly(11, 25, 11, 26);
    }

    @Test
    void gradientsOfTheEmbeddingsAreSumsOverTheImages() {
        Tensor dx = empty(2, 1, 1);
        Tensor dclassToken = empty(1, 1, 1);
        Tensor dposition = empty(1, 2, 1);
        embedding.backward(context, tensor(new float[] {1, 2, 4, 8}, 2, 2, 1), dx, dclassToken, dposition);
        assertThat(dx.toFloatArray()).containsExactly(2, 8);
        assertThat(dclassToken.toFloatArray()).containsExactly(5);
        assertThat(dposition.toFloatArray()).containsExactly(5, 10);
    }

    @Test
    void agreesWithTheReferenceOnOddShapes() {
        TokenEmbeddingOracle oracle = new TokenEmbeddingOracle(3, 7, 33);
        float[] x = Values.normal(1, oracle.xSize());
        float[] classToken = Values.normal(2, 33);
        float[] position = Values.normal(3, oracle.positionSize());
        float[] dy = Values.normal(4, oracle.ySize());
        Tensor y = empty(3, 8, 33);
        embedding.forward(context, tensor(x, 3, 7, 33), tensor(classToken, 1, 1, 33), tensor(position, 1, 8, 33), y);
        Values.assertClose(y, oracle.forward(Values.wide(x), Values.wide(classToken), Values.wide(position)), 1e-6);
        Tensor dx = empty(3, 7, 33);
        Tensor dposition = empty(1, 8, 33);
        embedding.backward(context, tensor(dy, 3, 8, 33), dx, empty(1, 1, 33), dposition);
        Values.assertClose(dx, oracle.backwardX(Values.wide(dy)), 0);
        Values.assertClose(dposition, oracle.backwardPosition(Values.wide(dy)), 1e-6);
    }

    @Test
    void noImagesHaveNoGradient() {
        Tensor dposition = tensor(new float[] {5, 5}, 1, 2, 1);
        embedding.backward(context, empty(0, 2, 1), empty(0, 1, 1), empty(1, 1, 1), dposition);
        assertThat(dposition.toFloatArray()).containsExactly(0, 0);
    }

    @Test
    void aPositionForOtherPatchesIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        embedding.forward(context, empty(2, 3, 4), empty(1, 1, 4), empty(1, 3, 4), empty(2, 4, 4)))
                .withMessage("token_embedding_forward: position is F32 [1, 3, 4], expected F32 [1, 4, 4]");
    }

    @Test
    void aGradientWithoutPatchesIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        embedding.backward(context, empty(2, 1, 4), empty(2, 0, 4), empty(1, 1, 4), empty(1, 1, 4)))
                .withMessage("token_embedding_backward: dy has shape [2, 1, 4], expected [N, P + 1, E] with patches and"
                        + " channels");
    }
}
