package dev.velu.selftest;

import dev.velu.op.GradientNorm;
import dev.velu.op.OptimizerStep;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.selftest.oracle.OptimizerOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.List;

/** The optimizers over several steps, with both kinds of gradient clipping, and the norm of gradients. */
final class OptimizerCheck {
    private static final int STEPS = 5;
    private static final float[] LEARNING_RATES = {0.1f, 0.05f, 0.01f, 0, 0.001f};
    private static final List<OptimizerAlgorithm> ALGORITHMS = List.of(
            OptimizerAlgorithm.Sgd.defaults(),
            new OptimizerAlgorithm.Sgd(0.9f, false, 5e-4f),
            new OptimizerAlgorithm.Sgd(0.9f, true, 5e-4f),
            OptimizerAlgorithm.Adam.defaults(),
            new OptimizerAlgorithm.Adam(0.8f, 0.99f, 1e-6f, 0.02f),
            OptimizerAlgorithm.AdamW.defaults(),
            OptimizerAlgorithm.Nadam.defaults(),
            new OptimizerAlgorithm.Nadam(0.95f, 0.99f, 1e-7f, 0.01f, 0.01f));
    private static final GradientClip[] CLIPS = {
        GradientClip.NONE, new GradientClip(0.5f, 0), new GradientClip(0, 3), new GradientClip(0.1f, 3)
    };

    private OptimizerCheck() {}

    static void run(Probe probe) {
        int n = 0;
        for (OptimizerAlgorithm algorithm : ALGORITHMS) {
            for (int count : new int[] {1, 33, 20_003}) {
                step(probe, algorithm, CLIPS[n++ % CLIPS.length], count);
            }
        }
        for (int count : new int[] {1, 31, 257, 100_003}) {
            norm(probe, count, 1);
        }
        norm(probe, 257, 1e-22);
        norm(probe, 257, 1e18);
    }

    private static void step(Probe probe, OptimizerAlgorithm algorithm, GradientClip clip, int count) {
        String clipping = (clip.value() > 0 ? " clip value " + clip.value() : "")
                + (clip.maxNorm() > 0 ? " clip norm " + clip.maxNorm() : "");
        probe.trial("optimizer_step", count + " " + algorithm + clipping, trial -> {
            float[] initial = Numbers.normal(1, count, 1);
            OptimizerOracle oracle = new OptimizerOracle(algorithm, clip, Numbers.wide(initial));
            Tensor parameters = trial.updated(initial, count);
            Tensor counters = trial.updated(new double[] {0, 1}, 2);
            Tensor first = algorithm.states() > 0 ? trial.updated(new float[count], count) : null;
            Tensor second = algorithm.states() > 1 ? trial.updated(new float[count], count) : null;
            OptimizerStep step = new OptimizerStep(algorithm, clip);
            for (int s = 0; s < STEPS; s++) {
                float[] gradientValues = probe.data(Numbers.normal(10 + s, count, 1));
                Tensor gradients = trial.data(gradientValues, count);
                Tensor norm = null;
                if (clip.maxNorm() > 0) {
                    norm = trial.scalar((float) OptimizerOracle.norm(Numbers.wide(gradientValues)));
                }
                step.step(
                        trial.context(),
                        trial.scalar(LEARNING_RATES[s]),
                        norm,
                        counters,
                        parameters,
                        gradients,
                        first,
                        second);
                oracle.step(LEARNING_RATES[s], Numbers.wide(gradientValues));
            }
            compare(trial, oracle, algorithm.weightDecay(), initial, parameters, first, second);
        });
    }

    private static void compare(
            Trial trial,
            OptimizerOracle oracle,
            double weightDecay,
            float[] initial,
            Tensor parameters,
            Tensor first,
            Tensor second) {
        float[] values = parameters.toFloatArray();
        float[] firstValues = first == null ? null : first.toFloatArray();
        float[] secondValues = second == null ? null : second.toFloatArray();
        for (int i = 0; i < values.length; i++) {
            double change = oracle.changeMagnitude()[i];
            double rounding = STEPS * Tolerances.PARAMETER_ROUNDING * (Math.abs(initial[i]) + change);
            double tolerance = rounding + Tolerances.OPTIMIZER_CHANGE.at(change);
            trial.comparison().element("parameters", i, values[i], oracle.parameters()[i], tolerance);
            // Weight decay brings the parameters' errors into the gradients.
            double decayed = weightDecay * tolerance;
            if (first != null) {
                double own = Tolerances.OPTIMIZER_STATE.at(oracle.firstMagnitude()[i]);
                trial.comparison().element("state0", i, firstValues[i], oracle.first()[i], own + STEPS * decayed);
            }
            if (second != null) {
                double magnitude = oracle.secondMagnitude()[i];
                double own = Tolerances.OPTIMIZER_STATE.at(magnitude);
                double slope = 2 * Math.sqrt(magnitude);
                trial.comparison().element("state1", i, secondValues[i], oracle.second()[i], own + slope * decayed);
            }
        }
    }

    private static void norm(Probe probe, int count, double scale) {
        probe.trial("gradient_norm", count + " of size " + scale, trial -> {
            float[] gradients = probe.data(Numbers.normal(3, count, scale));
            Tensor norm = trial.output(DType.F32);
            new GradientNorm().norm(trial.context(), trial.data(gradients, count), norm);
            double expected = OptimizerOracle.norm(Numbers.wide(gradients));
            trial.compare("norm", norm.item(), expected, Tolerances.ROUNDED_ONCE.at(expected));
        });
    }
}
