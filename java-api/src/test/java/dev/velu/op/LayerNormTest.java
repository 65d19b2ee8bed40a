package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.selftest.oracle.LayerNormOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class LayerNormTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final LayerNorm norm = new LayerNorm(1e-6f);

    private Tensor tensor(float[] values, long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes).set(values);
    }

    private Tensor empty(long... sizes) {
        return Tensor.allocate(context, DType.F32, sizes);
    }

    @Test
    void normalizesEveryRow() {
        Tensor x = tensor(new float[] {1, 3, -10, 10}, 2, 2);
        Tensor y = empty(2, 2);
        Tensor mean = empty(2);
        norm.forward(
                context,
                x,
                null,
                tensor(new float[] {1, 2}, 2),
                tensor(new float[] {0, 1}, 2),
                y,
                null,
                mean,
                empty(2));
        Values.assertClose(y, new double[] {-1, 3, -1, 3}, 1e-5);
        assertThat(mean.toFloatArray()).containsExactly(2, 0);
    }

    @Test
    void agreesWithTheReferenceWithAResidualAndAnAddend() {
        LayerNormOracle oracle = new LayerNormOracle(15, 33, 1e-6f);
        float[] x = Values.normal(1, 15 * 33);
        float[] residual = Values.normal(2, 15 * 33);
        float[] weight = Values.normal(3, 33);
        float[] bias = Values.normal(4, 33);
        float[] dy = Values.normal(5, 15 * 33);
        float[] addend = Values.normal(6, 15 * 33);
        float[] z = new float[x.length];
        for (int i = 0; i < z.length; i++) {
            z[i] = x[i] + residual[i];
        }
        Tensor y = empty(3, 5, 33);
        Tensor sum = empty(3, 5, 33);
        Tensor mean = empty(3, 5);
        Tensor invStd = empty(3, 5);
        Tensor scale = tensor(weight, 33);
        norm.forward(
                context,
                tensor(x, 3, 5, 33),
                tensor(residual, 3, 5, 33),
                scale,
                tensor(bias, 33),
                y,
                sum,
                mean,
                invStd);
        assertThat(sum.toFloatArray()).isEqualTo(z);
        LayerNormOracle.Forward forward = oracle.forward(Values.wide(z), Values.wide(weight), Values.wide(bias));
        Values.assertClose(y, forward.y(), 1e-5);
        Values.assertClose(mean, forward.mean(), 1e-6);
        Values.assertClose(invStd, forward.invStd(), 1e-6);
        Tensor dx = empty(3, 5, 33);
        Tensor dweight = empty(33);
        Tensor dbias = empty(33);
        norm.backward(
                context, sum, tensor(dy, 3, 5, 33), tensor(addend, 3, 5, 33), scale, mean, invStd, dx, dweight, dbias);
        LayerNormOracle.Backward backward =
                oracle.backward(Values.wide(z), Values.wide(dy), Values.wide(addend), Values.wide(weight));
        Values.assertClose(dx, backward.dz(), 1e-5);
        Values.assertClose(dweight, backward.dweight(), 1e-5);
        Values.assertClose(dbias, backward.dbias(), 1e-5);
    }

    @Test
    void noRowsHaveNoGradient() {
        Tensor none = empty(0, 2);
        Tensor one = tensor(new float[] {1, 1}, 2);
        Tensor dweight = tensor(new float[] {5, 5}, 2);
        Tensor dbias = tensor(new float[] {5, 5}, 2);
        norm.backward(context, none, none, null, one, empty(0), empty(0), none, dweight, dbias);
        assertThat(dweight.toFloatArray()).containsExactly(0, 0);
        assertThat(dbias.toFloatArray()).containsExactly(0, 0);
    }

    @Test
    void anEpsThatIsNotPositiveIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LayerNorm(0))
                .withMessage("layer norm eps 0.0 is not positive and finite");
        assertThatIllegalArgumentException().isThrownBy(() -> new LayerNorm(Float.NaN));
    }

    @Test
    void aWeightOfAnotherSizeIsNamed() {
        Tensor x = empty(3, 5, 33);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.forward(context, x, null, empty(5), empty(33), x, null, null, null))
                .withMessage("layer_norm_forward: weight is F32 [5], expected F32 [33]");
    }

    @Test
    void aSumWithoutAResidualIsNamed() {
        Tensor x = empty(3, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.forward(context, x, null, empty(2), empty(2), empty(3, 2), x, null, null))
                .withMessage("layer_norm_forward: output 1 is F32 [3, 2], expected none");
    }

    @Test
    void aScalarIsNotNormalized() {
        Tensor x = empty();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.forward(context, x, null, x, x, x, null, null, null))
                .withMessage("layer_norm_forward: x has shape [], expected a last axis of at least one channel");
    }
}
