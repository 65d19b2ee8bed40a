package dev.velu.selftest;

import dev.velu.op.Cast;
import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;

/** Conversion to the data type of the trials, from both: rounding to nearest even, overflow, NaN, subnormal numbers. */
final class CastCheck {
    private static final int[] COUNTS = {1, 31, 33, 257, 20_003};
    private static final float[] EDGES = {
        0,
        -0f,
        1,
        // Ties: to the even neighbour below, above, and just beside the middle.
        Float.intBitsToFloat(0x3f80_8000),
        Float.intBitsToFloat(0x3f81_8000),
        Float.intBitsToFloat(0x3f80_8001),
        Float.intBitsToFloat(0xbf80_7fff),
        Float.MAX_VALUE,
        -Float.MAX_VALUE,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        Float.NaN,
        // A NaN whose upper half alone would be an infinity.
        Float.intBitsToFloat(0x7f80_0001),
        Float.MIN_VALUE,
        Float.MIN_NORMAL,
        -1e-40f
    };

    private CastCheck() {}

    static void run(Probe probe) {
        for (DType source : new DType[] {DType.F32, DType.BF16}) {
            for (int count : COUNTS) {
                check(probe, source, count);
            }
        }
    }

    private static void check(Probe probe, DType source, int count) {
        probe.trial("cast_forward", count + " " + source + " to " + probe.dtype(), trial -> {
            float[] values = Numbers.normal(count, count, 1e3);
            for (int i = 0; i < EDGES.length && 2 * i + 1 < count; i++) {
                values[2 * i + 1] = EDGES[i];
            }
            Tensor x = source == DType.F32 ? trial.input(values, count) : trial.bfloat16(values, count);
            Tensor y = trial.result(count);
            new Cast(probe.dtype()).forward(trial.context(), x, y);
            float[] expected = values.clone();
            for (int i = 0; i < count && source == DType.BF16; i++) {
                expected[i] = BFloat16.round(values[i]);
            }
            trial.compareExactly("y", y, expected);
        });
    }
}
