package dev.velu.safetensors;

import dev.velu.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Element types of safetensors, under the names the format gives them. Numbers are little-endian. */
public enum ElementType {
    /** A byte that is 0 or 1. */
    BOOL(1),
    /** 8-bit unsigned integer. */
    U8(1),
    /** 8-bit signed integer. */
    I8(1),
    /** 8-bit float with 5 bits of exponent and 2 of mantissa. */
    F8_E5M2(1),
    /** 8-bit float with 4 bits of exponent and 3 of mantissa. */
    F8_E4M3(1),
    /** 8-bit power of two, as scales of blocks have it. */
    F8_E8M0(1),
    /** 16-bit signed integer. */
    I16(2),
    /** 16-bit unsigned integer. */
    U16(2),
    /** IEEE 754 half precision. */
    F16(2),
    /** bfloat16: the upper half of a 32-bit float. */
    BF16(2),
    /** 32-bit signed integer. */
    I32(4),
    /** 32-bit unsigned integer. */
    U32(4),
    /** IEEE 754 single precision. */
    F32(4),
    /** Complex number of two 32-bit floats. */
    C64(8),
    /** IEEE 754 double precision. */
    F64(8),
    /** 64-bit signed integer. */
    I64(8),
    /** 64-bit unsigned integer. */
    U64(8);

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    /** The type that stores tensors of a dtype. */
    public static ElementType of(DType dtype) {
        return valueOf(dtype.name());
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /** Whether it converts to float32: every real type but the 8-bit floating ones. */
    public boolean convertible() {
        return switch (this) {
            case F8_E5M2, F8_E4M3, F8_E8M0, C64 -> false;
            default -> true;
        };
    }

    /** Whether its elements are whole numbers. */
    public boolean integral() {
        return switch (this) {
            case BOOL, U8, I8, I16, U16, I32, U32, I64, U64 -> true;
            default -> false;
        };
    }

    /**
     * The element at an index, rounded to nearest where a float32 cannot hold it.
     *
     * @throws IllegalArgumentException if the type is not {@link #convertible}
     */
    public float toFloat(MemorySegment data, long index) {
        long offset = index * bytes;
        return switch (this) {
            case F32 -> data.get(FLOAT, offset);
            case BF16 -> Float.intBitsToFloat(data.get(SHORT, offset) << 16);
            case F16 -> Float.float16ToFloat(data.get(SHORT, offset));
            case F64 -> (float) data.get(DOUBLE, offset);
            case U64 -> {
                long value = data.get(LONG, offset);
                // Halving keeps the lowest bit sticky, so the rounding of the half is the rounding of the whole.
                yield value >= 0 ? (float) value : 2.0f * (float) ((value >>> 1) | (value & 1));
            }
            case BOOL, U8, I8, I16, U16, I32, U32, I64 -> (float) toLong(data, index);
            case F8_E5M2, F8_E4M3, F8_E8M0, C64 -> throw new IllegalArgumentException(this + " is not convertible");
        };
    }

    /**
     * The element at an index; a U64 keeps its bits.
     *
     * @throws IllegalArgumentException if the type is not {@link #integral}
     */
    public long toLong(MemorySegment data, long index) {
        long offset = index * bytes;
        return switch (this) {
            case BOOL, U8 -> data.get(ValueLayout.JAVA_BYTE, offset) & 0xffL;
            case I8 -> data.get(ValueLayout.JAVA_BYTE, offset);
            case I16 -> data.get(SHORT, offset);
            case U16 -> data.get(SHORT, offset) & 0xffffL;
            case I32 -> data.get(INT, offset);
            case U32 -> data.get(INT, offset) & 0xffff_ffffL;
            case I64, U64 -> data.get(LONG, offset);
            default -> throw new IllegalArgumentException(this + " is not integral");
        };
    }
}
