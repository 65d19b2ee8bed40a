package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Plan;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** A small network with BF16 activations and F32 parameters, differentiated and trained. */
abstract class MixedPrecisionTraining {
    /**
     * The norm of the error of a gradient against its own norm. On its way a gradient is rounded to bfloat16 up to eight
     * times, and so are the activations that it is multiplied with: 16 independent errors, each uniform and at most 2^-8,
     * have a standard deviation of sqrt(16 / 3) 2^-8 = 0.009; three times that, and as much again for differences
     * that the norms take.
     */
    private static final double GRADIENT_ERROR = 0.05;

    @AutoClose
    private final Context context = open();

    /** A context on the device under test; skips the test where there is none. */
    abstract Context open();

    /** What a step leaves. */
    private record Step(
            float loss, Map<String, float[]> gradients, Map<String, float[]> before, Map<String, float[]> after) {}

    /** Training steps of SGD on one batch; gradients and values are those of the last. */
    private Step train(DType dtype, int steps, float learningRate) {
        SmallNetwork network = new SmallNetwork(dtype);
        Fusion.fuse(network.graph(), true);
        Autodiff.differentiate(network.graph(), network.loss());
        network.parameters().allocate(context, true);
        network.parameters().initialize(3);
        Optimizer optimizer =
                new Optimizer(network.parameters(), OptimizerAlgorithm.Sgd.defaults(), new GradientClip(0, 0), context);
        optimizer.learningRate(learningRate);
        try (Plan plan = Plan.of(network.graph(), network.parameters(), context)) {
            optimizer.appendTo(plan);
            MemorySegment x = plan.input(SmallNetwork.X);
            RandomFill.fill(context, x, x.byteSize() / 4, new Initializer.Normal(0, 1), 1, 0);
            context.upload(MemorySegment.ofArray(new int[] {0, 3, 4, 1}), plan.input(SmallNetwork.LABELS));
            Map<String, float[]> before = null;
            for (int i = 0; i < steps; i++) {
                before = values(network, false);
                plan.run();
            }
            return new Step(
                    floats(plan.result(SmallNetwork.LOSS))[0], values(network, true), before, values(network, false));
        }
    }

    private Map<String, float[]> values(SmallNetwork network, boolean gradients) {
        Map<String, float[]> values = new TreeMap<>();
        for (Parameter parameter : network.parameters().all()) {
            if (parameter.trainable()) {
                values.put(
                        parameter.name(),
                        floats(
                                gradients
                                        ? network.parameters().gradient(parameter)
                                        : network.parameters().segment(parameter)));
            }
        }
        return values;
    }

    private float[] floats(MemorySegment memory) {
        float[] values = new float[Math.toIntExact(memory.byteSize() / Float.BYTES)];
        context.download(memory, MemorySegment.ofArray(values));
        return values;
    }

    private static double norm(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
        }
        return Math.sqrt(sum);
    }

    @Test
    void lossAndGradientsAgreeWithFloat32WithinTheRoundingOfBfloat16() {
        Step wide = train(DType.F32, 1, 0);
        Step narrow = train(DType.BF16, 1, 0);
        assertThat(narrow.loss())
                .isEqualTo(wide.loss(), within(0.01f * wide.loss()))
                .isNotEqualTo(wide.loss());
        assertThat(narrow.gradients())
                .hasSize(7)
                .containsOnlyKeys(wide.gradients().keySet());
        wide.gradients().forEach((name, gradient) -> {
            float[] zeros = new float[gradient.length];
            assertThat(norm(gradient, zeros)).as(name).isGreaterThan(1e-4);
            assertThat(norm(narrow.gradients().get(name), gradient) / norm(gradient, zeros))
                    .as(name)
                    .isBetween(1e-6, GRADIENT_ERROR);
        });
    }

    @Test
    void gradientsOfParametersAreNotRoundedToBfloat16() {
        Step step = train(DType.BF16, 1, 0);
        for (String name : List.of("conv1.weight", "conv2.weight", "fc.weight")) {
            float[] gradient = step.gradients().get(name);
            int rounded = 0;
            for (float value : gradient) {
                rounded += value == BFloat16.round(value) ? 1 : 0;
            }
            // Of a few products a sum may be short by chance.
            assertThat(rounded).as(name).isLessThan(gradient.length / 4);
        }
    }

    @Test
    void stepsTooSmallForBfloat16StillMoveTheMasterWeights() {
        float rate = 1e-4f;
        Step step = train(DType.BF16, 1, rate);
        float[] before = step.before().get("conv1.weight");
        float[] after = step.after().get("conv1.weight");
        float[] gradient = step.gradients().get("conv1.weight");
        int sameInBfloat16 = 0;
        for (int i = 0; i < before.length; i++) {
            assertThat(after[i]).isEqualTo(before[i] - rate * gradient[i], within(Math.ulp(before[i])));
            sameInBfloat16 += BFloat16.of(after[i]) == BFloat16.of(before[i]) ? 1 : 0;
        }
        assertThat(after).isNotEqualTo(before);
        assertThat(sameInBfloat16).isGreaterThan(before.length * 9 / 10);
    }

    @Test
    void trainingLowersTheLoss() {
        float first = train(DType.BF16, 1, 0).loss();
        assertThat(train(DType.BF16, 8, 0.1f).loss()).isLessThan(first * 0.8f);
    }
}
