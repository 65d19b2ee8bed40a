package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.VeluException;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class SoftmaxCrossEntropyTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final SoftmaxCrossEntropy loss = new SoftmaxCrossEntropy(0);
    private final Tensor logits = Tensor.allocate(context, DType.F32, 2, 2).set(0f, 0f, 3f, 5f);
    private final Tensor labels = Tensor.allocate(context, DType.I32, 2).set(1, -1);
    private final Tensor mean = Tensor.allocate(context, DType.F32);
    private final Tensor logSumExp = Tensor.allocate(context, DType.F32, 2);
    private final Tensor dlogits = Tensor.allocate(context, DType.F32, 2, 2);

    @Test
    void equalLogitsCostTheLogarithmOfTheClasses() {
        loss.forward(context, logits, labels, mean, logSumExp);
        assertThat(mean.item()).isCloseTo(Math.log(2), within(1e-6));
        assertThat(logSumExp.toFloatArray()[0]).isCloseTo((float) Math.log(2), within(1e-6f));
    }

    @Test
    void theGradientIsTheProbabilityLessTheTarget() {
        loss.forward(context, logits, labels, mean, logSumExp);
        loss.backward(context, logits, labels, logSumExp, null, dlogits);
        assertThat(dlogits.toFloatArray()).containsExactly(new float[] {0.5f, -0.5f, 0, 0}, within(1e-6f));
    }

    @Test
    void theGradientIsScaledByThatOfTheLoss() {
        loss.forward(context, logits, labels, mean, logSumExp);
        Tensor dloss = Tensor.allocate(context, DType.F32).set(4f);
        loss.backward(context, logits, labels, logSumExp, dloss, dlogits);
        assertThat(dlogits.toFloatArray()).containsExactly(new float[] {2, -2, 0, 0}, within(1e-5f));
    }

    @Test
    void aMixedRowCostsWhatItsClassesCostByTheirShares() {
        Tensor both = Tensor.allocate(context, DType.I32, 2).set(0, 1);
        Tensor others = Tensor.allocate(context, DType.I32, 2).set(1, 0);
        Tensor shares = Tensor.allocate(context, DType.F32, 2).set(1f, 0.25f);
        loss.forward(context, logits, both, others, shares, mean, logSumExp);
        double row0 = Math.log(2);
        double sum = Math.log(Math.exp(3) + Math.exp(5));
        double row1 = 0.25 * (sum - 5) + 0.75 * (sum - 3);
        assertThat(mean.item()).isCloseTo((row0 + row1) / 2, within(1e-6));
        loss.backward(context, logits, both, others, shares, logSumExp, null, dlogits);
        float p = (float) Math.exp(5 - sum);
        assertThat(dlogits.toFloatArray())
                .containsExactly(new float[] {-0.25f, 0.25f, (1 - p - 0.75f) / 2, (p - 0.25f) / 2}, within(1e-6f));
    }

    @Test
    void aShareOfOneGivesTheBitsOfRowsOfOneClass() {
        SoftmaxCrossEntropy smoothed = new SoftmaxCrossEntropy(0.1f);
        Tensor others = Tensor.allocate(context, DType.I32, 2).set(0, 5);
        Tensor shares = Tensor.allocate(context, DType.F32, 2).set(1f, 7f);
        smoothed.forward(context, logits, labels, mean, logSumExp);
        float alone = (float) mean.item();
        smoothed.backward(context, logits, labels, logSumExp, null, dlogits);
        float[] gradient = dlogits.toFloatArray();
        smoothed.forward(context, logits, labels, others, shares, mean, logSumExp);
        assertThat((float) mean.item()).isEqualTo(alone);
        smoothed.backward(context, logits, labels, others, shares, logSumExp, null, dlogits);
        assertThat(dlogits.toFloatArray()).containsExactly(gradient);
    }

    @Test
    void anOtherLabelThatIsNoClassAndAShareOutsideItsRangeAreNamed() {
        Tensor both = Tensor.allocate(context, DType.I32, 2).set(0, 1);
        Tensor others = Tensor.allocate(context, DType.I32, 2).set(0, -1);
        Tensor shares = Tensor.allocate(context, DType.F32, 2).set(0.5f, 0.5f);
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> loss.forward(context, logits, both, others, shares, mean, logSumExp))
                .withMessageContaining("the other label of row 1 is -1; it must be 0 to 1");
        others.set(0, 1);
        shares.set(-0.5f, 0.5f);
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> loss.forward(context, logits, both, others, shares, mean, logSumExp))
                .withMessageContaining("the label share of row 0 is -0.5; it must be 0 to 1");
    }

    @Test
    void otherLabelsWithoutSharesAreRefused() {
        Tensor others = Tensor.allocate(context, DType.I32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss.forward(context, logits, labels, others, null, mean, logSumExp))
                .withMessageContaining("one of otherLabels and shares is missing");
    }

    @Test
    void aLabelThatIsNoClassIsNamed() {
        labels.set(0, 2);
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> loss.forward(context, logits, labels, mean, logSumExp))
                .withMessageContaining("row 1")
                .withMessageContaining("2");
    }

    @Test
    void labelsForOtherRowsAreNamed() {
        Tensor three = Tensor.allocate(context, DType.I32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss.forward(context, logits, three, mean, logSumExp))
                .withMessage("softmax_cross_entropy_forward: labels is I32 [3], expected I32 [2]");
    }

    @Test
    void noRowsHaveNoMean() {
        Tensor none = Tensor.allocate(context, DType.F32, 0, 2);
        Tensor noLabels = Tensor.allocate(context, DType.I32, 0);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss.forward(context, none, noLabels, mean, logSumExp))
                .withMessageContaining("[0, 2], expected at least one row and one class");
    }

    @Test
    void smoothingOutsideItsRangeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new SoftmaxCrossEntropy(1.5f))
                .withMessage("label smoothing 1.5 is outside [0, 1]");
    }
}
