package dev.velu.selftest;

import dev.velu.op.Dropout;
import dev.velu.selftest.oracle.PhiloxOracle;
import dev.velu.tensor.Tensor;

/**
 * Dropout of elements and of whole images: the mask of every backend to the bit. It is linear, so the backward pass is the
 * same function.
 */
final class DropoutCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};
    /** Images, and elements of each. */
    private static final int[][] ROWS = {{1, 31}, {33, 257}, {5, 4001}, {257, 3}, {4, 512}};

    private static final float[] PROBABILITIES = {0, 0.1f, 0.5f, Math.nextDown(1f)};
    private static final long[] STEPS = {0, 1, 0x1_2345_6789L};

    private DropoutCheck() {}

    static void run(Probe probe) {
        for (int n = 0; n < COUNTS.length * PROBABILITIES.length; n++) {
            check(
                    probe,
                    COUNTS[n % COUNTS.length],
                    1,
                    PROBABILITIES[n % PROBABILITIES.length],
                    STEPS[n % STEPS.length],
                    n);
        }
        for (int n = 0; n < ROWS.length; n++) {
            check(probe, ROWS[n][0], ROWS[n][1], n % 2 == 0 ? 0.5f : 0.2f, STEPS[n % STEPS.length], n);
        }
    }

    /** @param group elements that share a decision: those of an image */
    private static void check(Probe probe, int decisions, int group, float probability, long step, int stream) {
        long seed = 0x8765_4321_0FED_CBA9L;
        int count = decisions * group;
        Dropout.Mode mode = group == 1 ? Dropout.Mode.ELEMENT : Dropout.Mode.ROW;
        Dropout dropout = new Dropout(probability, seed, stream - 3, mode);
        long[] shape = group == 1 ? new long[] {count} : new long[] {decisions, group};
        String name = (group == 1 ? count + "" : decisions + " images of " + group) + " probability " + probability
                + " step " + step + " stream " + (stream - 3);
        float[] values = probe.data(Numbers.normal(count, count, 1));
        boolean[] kept = PhiloxOracle.kept(seed, stream - 3, step, decisions, probability);
        float scale = (float) (1 / (1 - (double) probability));
        float[] expected = new float[count];
        for (int i = 0; i < count; i++) {
            expected[i] = kept[i / group] ? values[i] * scale : 0;
        }
        probe.trial("dropout_forward", name, trial -> {
            Tensor y = trial.result(shape);
            dropout.forward(trial.context(), trial.data(values, shape), trial.scalar(step), y);
            trial.compareExactly("y", y, expected);
        });
        probe.trial("dropout_backward", name, trial -> {
            Tensor dx = trial.updatedData(values, shape);
            dropout.backward(trial.context(), dx, trial.scalar(step), dx);
            trial.compareExactly("dx", dx, expected);
        });
    }
}
