package dev.velu.selftest;

import dev.velu.nn.Initializer;
import dev.velu.op.RandomFill;
import dev.velu.selftest.oracle.PhiloxOracle;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** Random numbers: every element is a known function of seed, stream and index. */
final class RandomCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 70_001};
    private static final long[] SEEDS = {0, 1, 0xFEDC_BA98_7654_3210L};
    private static final long[] STREAMS = {0, 7, 0x8000_0001_0000_0003L};

    private RandomCheck() {}

    static void run(Probe probe) {
        for (int n = 0; n < COUNTS.length; n++) {
            long seed = SEEDS[n % SEEDS.length];
            long stream = STREAMS[n % STREAMS.length];
            uniform(probe, COUNTS[n], seed, stream, new Initializer.Uniform(-0.25f, 1));
            normal(probe, COUNTS[n], seed, stream, new Initializer.Normal(0.5f, 2));
            truncated(probe, COUNTS[n], seed, stream, new Initializer.TruncatedNormal(0, 0.02f, -0.03f, 0.01f));
        }
        // Rounding must not reach the open end.
        uniform(probe, 257, 1, 2, new Initializer.Uniform(1, Math.nextUp(Math.nextUp(1f))));
        uniform(probe, 33, 1, 2, new Initializer.Uniform(3, 3));
    }

    private static String name(int count, long seed, long stream, Initializer initializer) {
        return count + " " + initializer + " seed " + Long.toUnsignedString(seed) + " stream "
                + Long.toUnsignedString(stream);
    }

    private static Tensor fill(Trial trial, int count, long seed, long stream, Initializer initializer) {
        Tensor out = trial.output(DType.F32, count);
        new RandomFill(initializer, seed, stream).fill(trial.context(), out);
        return out;
    }

    private static void uniform(Probe probe, int count, long seed, long stream, Initializer.Uniform u) {
        probe.trial("random_fill", name(count, seed, stream, u), trial -> {
            Tensor out = fill(trial, count, seed, stream, u);
            trial.compareExactly("out", out, PhiloxOracle.uniform(seed, stream, count, u.low(), u.high()));
        });
    }

    private static void normal(Probe probe, int count, long seed, long stream, Initializer.Normal n) {
        probe.trial("random_fill", name(count, seed, stream, n), trial -> {
            Tensor out = fill(trial, count, seed, stream, n);
            double[] expected = PhiloxOracle.normal(seed, stream, count, n.mean(), n.std());
            trial.compare("out", out, expected, Tolerances.ROUNDED_ONCE);
        });
    }

    private static void truncated(Probe probe, int count, long seed, long stream, Initializer.TruncatedNormal n) {
        probe.trial("random_fill", name(count, seed, stream, n), trial -> {
            Tensor out = fill(trial, count, seed, stream, n);
            double[] expected = PhiloxOracle.truncatedNormal(seed, stream, count, n.mean(), n.std(), n.low(), n.high());
            trial.compare("out", out, expected, Tolerances.ROUNDED_ONCE);
        });
    }
}
