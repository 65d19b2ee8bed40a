package dev.velu.selftest;

import dev.velu.op.Lerp;
import dev.velu.tensor.Tensor;

/** The step of an average towards new values: weights at and between the ends. */
final class LerpCheck {
    private LerpCheck() {}

    static void run(Probe probe) {
        for (int count : new int[] {1, 33, 20_003}) {
            for (float weight : new float[] {0, 0.001f, 0.5f, 1}) {
                check(probe, count, weight);
            }
        }
    }

    private static void check(Probe probe, int count, float weight) {
        probe.trial("lerp", count + " weight " + weight, trial -> {
            float[] before = Numbers.normal(1, count, 1);
            float[] values = probe.data(Numbers.normal(2, count, 1));
            Tensor average = trial.updated(before, count);
            new Lerp().step(trial.context(), trial.scalar(weight), trial.data(values, count), average);
            double[] expected = new double[count];
            double[] magnitude = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = before[i] + (double) weight * ((double) values[i] - before[i]);
                magnitude[i] = Math.abs(before[i]) + weight * Math.abs((double) values[i] - before[i]);
            }
            trial.compare("average", average, expected, magnitude, Tolerances.AVERAGED);
        });
    }
}
