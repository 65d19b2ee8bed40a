package dev.velu.tensor;

/** Conversion of single numbers between float and bfloat16, the upper half of a binary32. */
public final class BFloat16 {
    private static final int QUIET = 0x40;

    private BFloat16() {}

    /** The bits of the nearest bfloat16, ties to even. A NaN stays a NaN. */
    public static short of(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | QUIET);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** The value of the bits of a bfloat16, exactly. */
    public static float toFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** The nearest bfloat16's value. */
    public static float round(float value) {
        return toFloat(of(value));
    }
}
