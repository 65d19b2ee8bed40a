package dev.velu.selftest;

import dev.velu.op.Add;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** Addition. Its gradient is dy itself, so there is nothing to compute backward. */
final class AddCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};

    private AddCheck() {}

    static void run(Probe probe) {
        for (int count : COUNTS) {
            probe.trial("add_forward", Integer.toString(count), trial -> {
                float[] a = Numbers.normal(count, count, 1);
                float[] b = Numbers.normal(count + 1, count, 1000);
                a[0] = Float.NaN;
                float[] expected = new float[count];
                for (int i = 0; i < count; i++) {
                    expected[i] = a[i] + b[i];
                }
                Tensor left = trial.input(a, count);
                Tensor right = trial.input(b, count);
                Tensor y = trial.output(DType.F32, count);
                new Add().forward(trial.context(), left, right, y);
                trial.compareExactly("y", y, expected);
                Tensor inPlace = trial.updated(b, count);
                new Add().forward(trial.context(), left, inPlace, inPlace);
                trial.compareExactly("y in place of b", inPlace, expected);
            });
        }
    }
}
