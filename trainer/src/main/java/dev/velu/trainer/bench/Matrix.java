package dev.velu.trainer.bench;

/** The shape {@code [rows, channels]} of an activation's tensor. */
public record Matrix(int rows, int channels) {
    /**
     * Checks the size.
     *
     * @throws IllegalArgumentException if a side is not positive or there are more than 2^28 elements
     */
    public Matrix {
        if (rows < 1 || channels < 1 || (long) rows * channels > 1 << 28) {
            throw new IllegalArgumentException(
                    "shape " + rows + "x" + channels + " is not one of at least 1x1 and at most 2^28 elements");
        }
    }

    /**
     * Reads a size.
     *
     * @throws IllegalArgumentException for anything but {@code ROWSxCHANNELS}
     */
    public static Matrix parse(String text) {
        if (!text.matches("[0-9]{1,9}x[0-9]{1,9}")) {
            throw new IllegalArgumentException("shape '" + text + "' is not of the form ROWSxCHANNELS, e.g. 6272x512");
        }
        int times = text.indexOf('x');
        return new Matrix(Integer.parseInt(text.substring(0, times)), Integer.parseInt(text.substring(times + 1)));
    }

    /** Rows times channels. */
    public long elements() {
        return (long) rows * channels;
    }

    @Override
    public String toString() {
        return rows + "x" + channels;
    }
}
