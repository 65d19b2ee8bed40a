package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A tensor between two guards of known bytes. It starts at a byte pattern that reads as NaN, so that an element nobody
 * wrote is seen, and at an address that is often aligned to no more than its element.
 */
final class Sentinel implements AutoCloseable {
    private static final int GUARD = 256;
    private static final byte GUARD_BYTE = (byte) 0xA5;
    private static final byte UNWRITTEN = (byte) 0xFF;

    private final Context context;
    private final MemorySegment memory;
    private final int begin;
    private final int end;
    private final Tensor tensor;
    private byte[] input;

    /** @param shift elements by which the start lies off a multiple of 64 bytes */
    Sentinel(Context context, DType dtype, Shape shape, int shift) {
        this.context = context;
        this.begin = GUARD + shift * dtype.bytes();
        this.end = begin + Math.toIntExact(new TensorType(dtype, shape).bytes());
        this.memory = context.allocate(end + GUARD);
        byte[] initial = new byte[end + GUARD];
        Arrays.fill(initial, GUARD_BYTE);
        Arrays.fill(initial, begin, end, UNWRITTEN);
        context.upload(MemorySegment.ofArray(initial), memory);
        this.tensor = Tensor.wrap(context, memory.asSlice(begin, end - begin), dtype, shape.toArray());
    }

    Tensor tensor() {
        return tensor;
    }

    /** Gives the tensor values; if they are an input, they must still be there at the end. */
    void set(MemorySegment values, boolean isInput) {
        context.upload(values, tensor.segment());
        if (isInput) {
            input = values.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** What is wrong with the bytes that must not change, or null. */
    String violation() {
        byte[] bytes = new byte[end + GUARD];
        context.download(memory, MemorySegment.ofArray(bytes));
        for (int i = 0; i < bytes.length; i++) {
            boolean inside = i >= begin && i < end;
            if (!inside && bytes[i] != GUARD_BYTE) {
                return "wrote " + (i < begin ? begin - i : i - end + 1) + " bytes " + (i < begin ? "before" : "behind")
                        + " a tensor of " + tensor.type();
            }
            if (inside && input != null && bytes[i] != input[i - begin]) {
                return "changed byte " + (i - begin) + " of an input of " + tensor.type();
            }
        }
        return null;
    }

    @Override
    public void close() {
        context.free(memory);
    }
}
