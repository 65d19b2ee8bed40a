package dev.velu.nn;

import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;

/**
 * A named tensor that a network owns, as it is laid out in memory.
 *
 * @param name torchvision's name, e.g. {@code layer1.0.conv1.weight}
 * @param type F32, or I64 for a buffer that counts
 * @param role whether the optimizer updates it
 * @param layout how files order its axes
 * @param initializer its first values
 */
public record Parameter(String name, TensorType type, Role role, Layout layout, Initializer initializer) {
    /** What a tensor of a network is for. */
    public enum Role {
        /** Trained by the optimizer. */
        WEIGHT,
        /** Trained by the optimizer, but belongs to an activation function (VeLU's lambda), not to the architecture. */
        ACTIVATION,
        /** Kept but not trained: running statistics and counters. */
        BUFFER
    }

    /**
     * Order of the axes in memory against their order in files.
     *
     * @param pixels for a weight whose columns are the channels of so many pixels, pixel by pixel in memory and channel by
     *     channel in files; 1 where both orders are the same, 0 for {@link #CONVOLUTION}
     */
    public record Layout(long pixels) {
        /** The same order. */
        public static final Layout PLAIN = new Layout(1);
        /** {@code [O, H, W, I]} in memory, {@code [O, I, H, W]} in files: convolution weights. */
        public static final Layout CONVOLUTION = new Layout(0);

        /** A linear layer {@code [O, pixels * I]} over a flattened image: {@code [O, pixels, I]} in memory, {@code [O, I, pixels]} in files. */
        public static Layout flattened(long pixels) {
            return new Layout(pixels);
        }
    }

    /**
     * Checks that parameters are F32 and that a layout fits the shape.
     *
     * @throws IllegalArgumentException if one does not; names the parameter
     */
    public Parameter {
        if (role != Role.BUFFER && type.dtype() != DType.F32) {
            throw new IllegalArgumentException(
                    "parameter " + name + " has dtype " + type.dtype() + "; parameters are F32");
        }
        if (layout.equals(Layout.CONVOLUTION) && type.shape().rank() != 4) {
            throw new IllegalArgumentException(
                    "parameter " + name + " of shape " + type.shape() + " is not a 2-D convolution's");
        }
        if (layout.pixels() > 1 && (type.shape().rank() != 2 || type.shape().size(1) % layout.pixels() != 0)) {
            throw new IllegalArgumentException("parameter " + name + " of shape " + type.shape()
                    + " is not a linear layer's over " + layout.pixels() + " pixels");
        }
    }

    /** The shape in files. */
    public Shape fileShape() {
        Shape shape = type.shape();
        return layout.equals(Layout.CONVOLUTION)
                ? Shape.of(shape.size(0), shape.size(3), shape.size(1), shape.size(2))
                : shape;
    }

    /** Pixels whose channels lie together in memory and apart in files; 1 where both orders are the same. */
    public long pixels() {
        return layout.equals(Layout.CONVOLUTION)
                ? type.shape().size(1) * type.shape().size(2)
                : layout.pixels();
    }

    /** Whether training changes it: a parameter, not a buffer. */
    public boolean trainable() {
        return role != Role.BUFFER;
    }
}
