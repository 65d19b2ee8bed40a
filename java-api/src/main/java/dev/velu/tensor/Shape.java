package dev.velu.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Sizes of a dense row-major tensor, the last axis contiguous; images are {@code [N, H, W, C]}. A scalar has rank 0. */
public final class Shape {
    private final long[] sizes;
    private final long elements;

    private Shape(long[] sizes) {
        long product = 1;
        for (long size : sizes) {
            if (size < 0) {
                throw new IllegalArgumentException("size " + size + " in shape " + Arrays.toString(sizes)
                        + " is negative; sizes are zero or more");
            }
            try {
                product = Math.multiplyExact(product, size);
            } catch (ArithmeticException e) {
                throw new IllegalArgumentException(
                        "shape " + Arrays.toString(sizes) + " has more than 2^63 - 1 elements", e);
            }
        }
        this.sizes = sizes;
        this.elements = product;
    }

    /**
     * A shape of these sizes.
     *
     * @throws IllegalArgumentException for a negative size or more than 2^63 - 1 elements
     */
    public static Shape of(long... sizes) {
        return new Shape(sizes.clone());
    }

    /** Number of axes. */
    public int rank() {
        return sizes.length;
    }

    /** Size of an axis; negative axes count from the last. */
    public long size(int axis) {
        int index = axis < 0 ? axis + sizes.length : axis;
        if (index < 0 || index >= sizes.length) {
            throw new IllegalArgumentException("axis " + axis + " is outside shape " + this);
        }
        return sizes[index];
    }

    /** Product of all sizes; 1 for a scalar. */
    public long elements() {
        return elements;
    }

    /** The sizes, in an array of the caller's own. */
    public long[] toArray() {
        return sizes.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(sizes, shape.sizes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(sizes);
    }

    @Override
    public String toString() {
        return Arrays.stream(sizes).mapToObj(Long::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
