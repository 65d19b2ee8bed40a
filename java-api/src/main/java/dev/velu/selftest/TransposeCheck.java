package dev.velu.selftest;

import dev.velu.op.Transpose;
import dev.velu.tensor.Tensor;

/** Transposition of batches of matrices: NCHW to NHWC and back are two of them. */
final class TransposeCheck {
    private static final int[][] SHAPES = {
        {1, 1, 1}, {1, 1, 257}, {3, 31, 33}, {2, 64, 49}, {5, 3, 1024}, {1, 129, 65}, {257, 2, 7}
    };

    private TransposeCheck() {}

    static void run(Probe probe) {
        for (int[] shape : SHAPES) {
            check(probe, shape[0], shape[1], shape[2]);
        }
    }

    private static void check(Probe probe, int batch, int rows, int columns) {
        probe.trial("transpose_forward", batch + "x" + rows + "x" + columns, trial -> {
            float[] x = probe.data(Numbers.normal(1, batch * rows * columns, 1));
            x[x.length / 2] = Float.NaN;
            float[] expected = new float[x.length];
            for (int i = 0; i < x.length; i++) {
                int b = i / (rows * columns);
                int row = i / columns % rows;
                int column = i % columns;
                expected[(b * columns + column) * rows + row] = x[i];
            }
            Tensor y = trial.result(batch, columns, rows);
            new Transpose(1, 1).forward(trial.context(), trial.data(x, batch, rows, columns), y);
            trial.compareExactly("y", y, expected);
        });
    }
}
