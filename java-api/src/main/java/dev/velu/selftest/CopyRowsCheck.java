package dev.velu.selftest;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_copy_rows_desc;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Copies of rows between pitches, with what lies between them left alone or set to zero. */
final class CopyRowsCheck {
    /** Rows, channels, and how much larger the pitches of x and y are. */
    private static final int[][] CASES = {
        {1, 1, 0, 0}, {31, 33, 7, 0}, {257, 31, 0, 33}, {9, 257, 64, 3}, {49, 64, 192, 448}, {5, 768, 0, 768 * 4}
    };

    private CopyRowsCheck() {}

    static void run(Probe probe) {
        for (int[] c : CASES) {
            check(probe, c[0], c[1], c[1] + c[2], c[1] + c[3]);
        }
    }

    private static MemorySegment desc(
            Probe probe, Arena arena, int rows, int channels, int xPitch, int yPitch, boolean zeroRest) {
        MemorySegment desc = velu_copy_rows_desc.allocate(arena);
        velu_copy_rows_desc.device(desc, probe.context().device().kind().ordinal());
        velu_copy_rows_desc.dtype(desc, probe.dtype().code());
        velu_copy_rows_desc.rows(desc, rows);
        velu_copy_rows_desc.channels(desc, channels);
        velu_copy_rows_desc.x_pitch(desc, xPitch);
        velu_copy_rows_desc.y_pitch(desc, yPitch);
        velu_copy_rows_desc.zero_rest(desc, zeroRest ? 1 : 0);
        return desc;
    }

    private static void check(Probe probe, int rows, int channels, int xPitch, int yPitch) {
        String name = rows + "x" + channels + " pitch " + xPitch + " to " + yPitch;
        float[] values = probe.data(Numbers.normal(1, rows * channels, 1));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment desc = desc(probe, arena, rows, channels, xPitch, yPitch, false);
            probe.trial("copy_rows_forward", name, trial -> {
                PitchedRows x = PitchedRows.data(trial, values, channels, xPitch);
                PitchedRows y = PitchedRows.result(trial, rows, channels, yPitch);
                copy(trial, desc, x.segment(), y.segment());
                y.compareExactly(trial, "y", values);
            });
            MemorySegment zeroing = desc(probe, arena, rows, channels, xPitch, yPitch, true);
            probe.trial("copy_rows_forward", name + " zero rest", trial -> {
                PitchedRows x = PitchedRows.data(trial, values, channels, xPitch);
                Tensor y = trial.result(rows, yPitch);
                copy(trial, zeroing, x.segment(), y.segment());
                float[] expected = new float[rows * yPitch];
                for (int i = 0; i < values.length; i++) {
                    expected[i / channels * yPitch + i % channels] = values[i];
                }
                trial.compareExactly("y", y, expected);
            });
        }
    }

    private static void copy(Trial trial, MemorySegment desc, MemorySegment x, MemorySegment y) {
        trial.context()
                .check(
                        VeluNative.velu_copy_rows_forward(trial.context().handle(), desc, x, y),
                        "velu_copy_rows_forward");
    }
}
