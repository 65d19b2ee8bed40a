package dev.velu.tensor;

/**
 * What is known of a tensor before it has memory: element type, shape, and how far apart its rows lie.
 *
 * @param pitch elements from one row (the last axis) to the next; the last axis's size if the tensor is dense. A larger
 *     one makes it a view of some channels of a wider tensor
 */
public record TensorType(DType dtype, Shape shape, long pitch) {
    /**
     * Checks the pitch.
     *
     * @throws IllegalArgumentException if the pitch is below the size of a row
     */
    public TensorType {
        if (pitch < channels(shape)) {
            throw new IllegalArgumentException(
                    "pitch " + pitch + " of shape " + shape + " is below " + channels(shape) + ", the size of a row");
        }
    }

    /** A dense tensor. */
    public TensorType(DType dtype, Shape shape) {
        this(dtype, shape, channels(shape));
    }

    /** Dense F32 of these sizes. */
    public static TensorType f32(long... sizes) {
        return new TensorType(DType.F32, Shape.of(sizes));
    }

    /** Size of the last axis; 1 for a scalar. */
    private static long channels(Shape shape) {
        return shape.rank() == 0 ? 1 : shape.size(-1);
    }

    /** The same elements with rows as far apart as given. */
    public TensorType pitched(long newPitch) {
        return new TensorType(dtype, shape, newPitch);
    }

    /** The same elements without gaps. */
    public TensorType dense() {
        return isDense() ? this : new TensorType(dtype, shape);
    }

    /** Whether rows follow each other without a gap. */
    public boolean isDense() {
        return pitch == channels(shape);
    }

    /**
     * Bytes from the first element to behind the last.
     *
     * @throws IllegalArgumentException if they are more than 2^63 - 1
     */
    public long bytes() {
        try {
            long elements = shape.elements();
            if (!isDense() && elements > 0) {
                long rows = elements / channels(shape);
                elements = Math.addExact(Math.multiplyExact(rows - 1, pitch), channels(shape));
            }
            return Math.multiplyExact(elements, dtype.bytes());
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("a tensor of " + this + " is larger than 2^63 - 1 bytes", e);
        }
    }

    @Override
    public String toString() {
        return dtype + " " + shape + (isDense() ? "" : " with pitch " + pitch);
    }
}
