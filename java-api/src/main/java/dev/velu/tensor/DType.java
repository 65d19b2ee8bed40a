package dev.velu.tensor;

/** Element type of a tensor. The codes of the floating types are those of {@code VELU_DTYPE_*} in {@code velu.h}. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(0, 4),
    /** bfloat16: the upper half of a binary32. */
    BF16(1, 2),
    /** IEEE 754 binary64; optimizer counters only. */
    F64(-1, 8),
    /** Two's complement 64-bit integer; counts. */
    I64(-1, 8),
    /** Two's complement 32-bit integer; labels. */
    I32(-1, 4),
    /** Unsigned byte; images and positions in pooling windows. */
    U8(-1, 1);

    private final int code;
    private final int bytes;

    DType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /**
     * The value of a descriptor's {@code dtype} field.
     *
     * @throws IllegalArgumentException if operations do not compute in this type
     */
    public int code() {
        if (code < 0) {
            throw new IllegalArgumentException(
                    "dtype " + this + " is not a type that operations compute in; use F32 or BF16");
        }
        return code;
    }
}
