package dev.velu.selftest;

import dev.velu.op.TopK;
import dev.velu.selftest.oracle.TopKOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** Counting of correct predictions: ties, NaN, rows left out, more places than classes. */
final class TopKCheck {
    private static final int[][] SHAPES = {{1, 1}, {31, 10}, {257, 33}, {33, 1000}};

    private TopKCheck() {}

    static void run(Probe probe) {
        for (int[] shape : SHAPES) {
            for (int k : new int[] {1, 5, 2000}) {
                check(probe, shape[0], shape[1], k);
            }
        }
    }

    private static void check(Probe probe, int rows, int classes, int k) {
        probe.trial("top_k_count", rows + "x" + classes + " k " + k, trial -> {
            // Integers, so that ties are common.
            int[] integers = Numbers.integers(1, rows * classes, 0, 9);
            float[] logits = new float[rows * classes];
            for (int i = 0; i < logits.length; i++) {
                logits[i] = i % 97 == 41 ? Float.NaN : integers[i];
            }
            int[] labels = Numbers.integers(2, rows, -1, classes - 1);
            Tensor count = trial.output(DType.I64);
            new TopK(k).count(trial.context(), trial.data(logits, rows, classes), trial.input(labels, rows), count);
            trial.compareExactly("count", count, TopKOracle.count(Numbers.wide(logits), labels, classes, k));
        });
    }
}
