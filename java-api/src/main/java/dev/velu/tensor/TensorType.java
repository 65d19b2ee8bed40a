package dev.velu.tensor;

/** What is known of a tensor before it has memory: element type and shape. */
public record TensorType(DType dtype, Shape shape) {
    public static TensorType f32(long... sizes) {
        return new TensorType(DType.F32, Shape.of(sizes));
    }

    /**
     * Size in bytes.
     *
     * @throws IllegalArgumentException if it is more than 2^63 - 1
     */
    public long bytes() {
        try {
            return Math.multiplyExact(shape.elements(), dtype.bytes());
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("a tensor of " + this + " is larger than 2^63 - 1 bytes", e);
        }
    }

    @Override
    public String toString() {
        return dtype + " " + shape;
    }
}
