package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.tensor.Tensor;
import java.util.Random;

/** Numbers for tests of operations against float64 references. */
final class Values {
    private Values() {}

    static float[] normal(int seed, long count) {
        Random random = new Random(seed);
        float[] values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    static double[] wide(float... values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    /** Every element within a tolerance of its reference. */
    static void assertClose(Tensor actual, double[] expected, double tolerance) {
        assertThat(wide(actual.toFloatArray())).containsExactly(expected, within(tolerance));
    }
}
