package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_copy_rows_desc;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;

/** The native call that copies a tensor row by row, for operations that only arrange memory and could not do without. */
final class RowCopy {
    private RowCopy() {}

    /**
     * Copies rows of the last axis; their number and size are those of {@code to}, the pitches each its own.
     *
     * @return the call, or null where both are the same memory, laid out alike
     */
    static NativeCall of(Binding b, TensorType from, MemorySegment x, TensorType to, MemorySegment y) {
        return x.address() == y.address() && from.pitch() == to.pitch()
                ? null
                : of(b, to, from.pitch(), x, to.pitch(), y, false);
    }

    /**
     * Copies the rows of a tensor type between pitches.
     *
     * @param zeroRest whether what follows each row of y up to its pitch becomes 0
     */
    static NativeCall of(
            Binding b, TensorType rows, long xPitch, MemorySegment x, long yPitch, MemorySegment y, boolean zeroRest) {
        long channels = rows.shape().rank() == 0 ? 1 : rows.shape().size(-1);
        MemorySegment desc = velu_copy_rows_desc.allocate(b.arena());
        velu_copy_rows_desc.device(desc, b.device());
        velu_copy_rows_desc.dtype(desc, rows.dtype().code());
        velu_copy_rows_desc.rows(desc, channels == 0 ? 0 : rows.shape().elements() / channels);
        velu_copy_rows_desc.channels(desc, Math.max(1, channels));
        velu_copy_rows_desc.x_pitch(desc, Math.max(1, xPitch));
        velu_copy_rows_desc.y_pitch(desc, Math.max(1, yPitch));
        velu_copy_rows_desc.zero_rest(desc, zeroRest ? 1 : 0);
        MemorySegment context = b.context().handle();
        return () -> VeluNative.velu_copy_rows_forward(context, desc, x, y);
    }
}
