package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class OptimizerStepTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Tensor learningRate = Tensor.allocate(context, DType.F32).set(0.5f);
    private final Tensor counters = Tensor.allocate(context, DType.F64, 2);
    private final Tensor parameters = Tensor.allocate(context, DType.F32, 2).set(1f, -1f);
    private final Tensor gradients = Tensor.allocate(context, DType.F32, 2).set(2f, -4f);
    private final Tensor state0 = Tensor.allocate(context, DType.F32, 2);
    private final Tensor state1 = Tensor.allocate(context, DType.F32, 2);

    OptimizerStepTest() {
        context.upload(MemorySegment.ofArray(new double[] {0, 1}), counters.segment());
    }

    private float[] step(OptimizerAlgorithm algorithm, GradientClip clip, Tensor gradientNorm) {
        new OptimizerStep(algorithm, clip)
                .step(
                        context,
                        learningRate,
                        gradientNorm,
                        counters,
                        parameters,
                        gradients,
                        algorithm.states() > 0 ? state0 : null,
                        algorithm.states() > 1 ? state1 : null);
        return parameters.toFloatArray();
    }

    @Test
    void sgdSubtractsTheScaledGradient() {
        assertThat(step(OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE, null))
                .containsExactly(0, 1);
    }

    @Test
    void momentumAddsUp() {
        OptimizerAlgorithm sgd = new OptimizerAlgorithm.Sgd(0.5f, false, 0);
        step(sgd, GradientClip.NONE, null);
        assertThat(step(sgd, GradientClip.NONE, null)).containsExactly(-1.5f, 4);
    }

    @Test
    void theFirstStepOfAdamIsTheLearningRate() {
        assertThat(step(OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE, null))
                .containsExactly(new float[] {0.5f, -0.5f}, within(1e-6f));
        assertThat(counters.segment().get(ValueLayout.JAVA_DOUBLE, 0)).isEqualTo(1);
    }

    @Test
    void adamwShrinksTheParametersFirst() {
        assertThat(step(new OptimizerAlgorithm.AdamW(0.9f, 0.999f, 1e-8f, 0.2f), GradientClip.NONE, null))
                .containsExactly(new float[] {0.4f, -0.4f}, within(1e-6f));
    }

    @Test
    void nadamTakesPartOfTheNextMomentum() {
        // mu1 = 0.9 (1 - 0.5 0.96^0.004), mu2 = 0.9 (1 - 0.5 0.96^0.008); on the first step m^ = g (1 - mu1) / (1 -
        // mu1) +
        // mu2 0.1 g / (1 - mu1 mu2) and sqrt(v^) = |g|.
        double mu1 = 0.9 * (1 - 0.5 * Math.pow(0.96, 0.004));
        double mu2 = 0.9 * (1 - 0.5 * Math.pow(0.96, 0.008));
        float expected = (float) (1 - 0.5 * (1 + mu2 * 0.1 / (1 - mu1 * mu2)));
        assertThat(step(OptimizerAlgorithm.Nadam.defaults(), GradientClip.NONE, null))
                .containsExactly(new float[] {expected, -expected}, within(1e-5f));
    }

    @Test
    void gradientsAreClampedToTheClipValue() {
        assertThat(step(OptimizerAlgorithm.Sgd.defaults(), new GradientClip(2, 0), null))
                .containsExactly(0, 0);
    }

    @Test
    void gradientsAreScaledToTheClipNorm() {
        Tensor norm = Tensor.allocate(context, DType.F32);
        new GradientNorm().norm(context, gradients, norm);
        float[] stepped = step(OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0, (float) Math.sqrt(5)), norm);
        assertThat(stepped).containsExactly(new float[] {0.5f, 0}, within(1e-5f));
    }

    @Test
    void aClipNormWithoutTheGradientNormIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> step(OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0, 1), null))
                .withMessage("optimizer_step: gradientNorm, which the clip norm 1.0 needs, is missing");
    }

    @Test
    void aMissingStateIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerStep(OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE)
                        .step(context, learningRate, null, counters, parameters, gradients, state0, null))
                .withMessage("optimizer_step: state1 is missing");
    }

    @Test
    void aStateThatIsNotNeededIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerStep(OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE)
                        .step(context, learningRate, null, counters, parameters, gradients, state0, null))
                .withMessageContaining("state0 is F32 [2], but sgd has 0 states");
    }

    @Test
    void gradientsOfAnotherCountAreNamed() {
        Tensor three = Tensor.allocate(context, DType.F32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerStep(OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE)
                        .step(context, learningRate, null, counters, parameters, three, null, null))
                .withMessage("optimizer_step: parameters is F32 [2], expected F32 [3]");
    }

    @Test
    void constantsOutsideTheirRangeAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerAlgorithm.Sgd(1, false, 0))
                .withMessage("momentum 1.0 is outside [0, 1)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerAlgorithm.Sgd(0, true, 0))
                .withMessageContaining("Nesterov");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerAlgorithm.Adam(0.9f, Float.NaN, 1e-8f, 0))
                .withMessageContaining("beta2 NaN");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerAlgorithm.AdamW(0.9f, 0.9f, 0, 0))
                .withMessageContaining("eps 0.0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new OptimizerAlgorithm.Nadam(0.9f, 0.9f, 1, -1, 0))
                .withMessageContaining("weight decay -1.0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GradientClip(0, Float.POSITIVE_INFINITY))
                .withMessageContaining("gradient clip norm Infinity");
    }
}
