package dev.velu.selftest;

import dev.velu.tensor.BFloat16;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Rows of channels that lie apart in the memory of a trial, as the channels of one layer lie in a wider tensor. Between them
 * are numbers that are none, which must not be used and must not change; behind the last row the trial's guard begins.
 */
final class PitchedRows {
    private final Tensor memory;
    private final int rows;
    private final int channels;
    private final int pitch;

    private PitchedRows(Tensor memory, int rows, int channels, int pitch) {
        this.memory = memory;
        this.rows = rows;
        this.channels = channels;
        this.pitch = pitch;
    }

    private static int elements(int rows, int channels, int pitch) {
        return (rows - 1) * pitch + channels;
    }

    /** Rows that the operation only reads. */
    static PitchedRows data(Trial trial, float[] values, int channels, int pitch) {
        float[] spread = spread(values, channels, pitch);
        return new PitchedRows(trial.data(spread, spread.length), values.length / channels, channels, pitch);
    }

    /** Rows that the operation updates. */
    static PitchedRows updatedData(Trial trial, float[] values, int channels, int pitch) {
        float[] spread = spread(values, channels, pitch);
        return new PitchedRows(trial.updatedData(spread, spread.length), values.length / channels, channels, pitch);
    }

    /** Rows that the operation writes. */
    static PitchedRows result(Trial trial, int rows, int channels, int pitch) {
        return new PitchedRows(trial.result(elements(rows, channels, pitch)), rows, channels, pitch);
    }

    private static float[] spread(float[] values, int channels, int pitch) {
        float[] spread = new float[elements(values.length / channels, channels, pitch)];
        Arrays.fill(spread, Float.NaN);
        for (int i = 0; i < values.length; i++) {
            spread[i / channels * pitch + i % channels] = values[i];
        }
        return spread;
    }

    MemorySegment segment() {
        return memory.segment();
    }

    /** The rows beside each other. */
    float[] values() {
        float[] spread = memory.toFloatArray();
        float[] values = new float[rows * channels];
        for (int i = 0; i < values.length; i++) {
            values[i] = spread[i / channels * pitch + i % channels];
        }
        return values;
    }

    /** Within a tolerance relative to magnitudes, and nothing written between the rows. */
    void compare(Trial trial, String what, double[] expected, double[] magnitude, Tolerance tolerance) {
        trial.compare(what, memory.dtype(), values(), expected, magnitude, tolerance);
        checkGaps(trial, what);
    }

    /** Equal, and nothing written between the rows. */
    void compareExactly(Trial trial, String what, float[] expected) {
        float[] values = values();
        for (int i = 0; i < expected.length; i++) {
            float rounded = memory.dtype() == DType.BF16 ? BFloat16.round(expected[i]) : expected[i];
            trial.comparison().element(what, i, values[i], rounded, 0);
        }
        checkGaps(trial, what);
    }

    /** Nothing was written between the rows. */
    void checkGaps(Trial trial, String what) {
        float[] spread = memory.toFloatArray();
        for (int i = 0; i < spread.length; i++) {
            if (i % pitch >= channels && !Float.isNaN(spread[i])) {
                trial.comparison()
                        .failure("wrote " + spread[i] + " between the rows of " + what + ", "
                                + (i % pitch - channels + 1) + " elements behind row " + i / pitch);
            }
        }
    }
}
