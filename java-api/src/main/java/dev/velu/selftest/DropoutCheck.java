package dev.velu.selftest;

import dev.velu.op.Dropout;
import dev.velu.selftest.oracle.PhiloxOracle;
import dev.velu.tensor.Tensor;

/** Dropout: the mask of every backend to the bit. It is linear, so the backward pass is the same function. */
final class DropoutCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};
    private static final float[] PROBABILITIES = {0, 0.1f, 0.5f, Math.nextDown(1f)};
    private static final long[] STEPS = {0, 1, 0x1_2345_6789L};

    private DropoutCheck() {}

    static void run(Probe probe) {
        for (int n = 0; n < COUNTS.length * PROBABILITIES.length; n++) {
            check(
                    probe,
                    COUNTS[n % COUNTS.length],
                    PROBABILITIES[n % PROBABILITIES.length],
                    STEPS[n % STEPS.length],
                    n);
        }
    }

    private static void check(Probe probe, int count, float probability, long step, int stream) {
        long seed = 0x8765_4321_0FED_CBA9L;
        Dropout dropout = new Dropout(probability, seed, stream - 3);
        String name = count + " probability " + probability + " step " + step + " stream " + (stream - 3);
        float[] values = probe.data(Numbers.normal(count, count, 1));
        boolean[] kept = PhiloxOracle.kept(seed, stream - 3, step, count, probability);
        float scale = (float) (1 / (1 - (double) probability));
        float[] expected = new float[count];
        for (int i = 0; i < count; i++) {
            expected[i] = kept[i] ? values[i] * scale : 0;
        }
        probe.trial("dropout_forward", name, trial -> {
            Tensor y = trial.result(count);
            dropout.forward(trial.context(), trial.data(values, count), trial.scalar(step), y);
            trial.compareExactly("y", y, expected);
        });
        probe.trial("dropout_backward", name, trial -> {
            Tensor dx = trial.updatedData(values, count);
            dropout.backward(trial.context(), dx, trial.scalar(step), dx);
            trial.compareExactly("dx", dx, expected);
        });
    }
}
