package dev.velu.selftest;

import dev.velu.op.Add;
import dev.velu.tensor.Tensor;

/** Addition. Its gradient is dy itself, so there is nothing to compute backward. */
final class AddCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};

    private AddCheck() {}

    static void run(Probe probe) {
        for (int count : COUNTS) {
            probe.trial("add_forward", Integer.toString(count), trial -> {
                float[] a = probe.data(Numbers.normal(count, count, 1));
                float[] b = probe.data(Numbers.normal(count + 1, count, 1000));
                a[0] = Float.NaN;
                float[] expected = new float[count];
                for (int i = 0; i < count; i++) {
                    expected[i] = a[i] + b[i];
                }
                Tensor left = trial.data(a, count);
                Tensor right = trial.data(b, count);
                Tensor y = trial.result(count);
                new Add().forward(trial.context(), left, right, y);
                trial.compareExactly("y", y, expected);
                Tensor inPlace = trial.updatedData(b, count);
                new Add().forward(trial.context(), left, inPlace, inPlace);
                trial.compareExactly("y in place of b", inPlace, expected);
            });
        }
    }
}
