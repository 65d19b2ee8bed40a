package dev.velu.selftest;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** Arrays of test data. Everything is a function of the seed. */
final class Numbers {
    private Numbers() {}

    /** Normal numbers with mean 0. */
    static float[] normal(long seed, int count, double std) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (std * random.nextGaussian());
        }
        return values;
    }

    /** Uniform numbers. */
    static float[] uniform(long seed, int count, double low, double high) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (low + (high - low) * random.nextDouble());
        }
        return values;
    }

    /** Integers in [low, high]. */
    static int[] integers(long seed, int count, int low, int high) {
        return new Random(seed).ints(count, low, high + 1).toArray();
    }

    /** The same numbers in float64. */
    static double[] wide(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    /** Rounded to float32. */
    static float[] narrow(double[] values) {
        float[] narrow = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            narrow[i] = (float) values[i];
        }
        return narrow;
    }

    static double[] map(double[] values, DoubleUnaryOperator f) {
        double[] mapped = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            mapped[i] = f.applyAsDouble(values[i]);
        }
        return mapped;
    }

    static double[] absolute(float[] values) {
        return map(wide(values), Math::abs);
    }

    /** sum(a b). */
    static double dot(float[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
