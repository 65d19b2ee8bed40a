package dev.velu.trainer.data;

import java.util.Objects;

/**
 * An image in memory. The array is not copied: whoever receives the record owns it.
 *
 * @param width columns, at least 1
 * @param height rows, at least 1
 * @param rgb uint8 pixels {@code [height, width, 3]}, red first
 */
public record DecodedImage(int width, int height, byte[] rgb) {

    /**
     * Checks the size.
     *
     * @throws IllegalArgumentException if a side is not positive or the array is not as long as the pixels need
     */
    public DecodedImage {
        Objects.requireNonNull(rgb, "rgb");
        if (width <= 0 || height <= 0) {
            throw new IllegalArgumentException("image size " + width + " x " + height + " is not positive");
        }
        if (rgb.length != 3L * width * height) {
            throw new IllegalArgumentException("an image of " + width + " x " + height + " has " + 3L * width * height
                    + " bytes of RGB, not " + rgb.length);
        }
    }

    /**
     * This image as a network sees it: the shorter side is resized to {@code size} (bilinear, antialiased), the
     * longer side in proportion, and the centre {@code size x size} is kept. The rule of {@link BatchPipeline}.
     *
     * @throws IllegalArgumentException if {@code size} is not positive
     */
    public DecodedImage toSquare(int size) {
        if (size <= 0) {
            throw new IllegalArgumentException("image size " + size + " is not positive");
        }
        byte[] square = new byte[Math.multiplyExact(Math.multiplyExact(size, size), 3)];
        new SquareResize(size).apply(this, square);
        return new DecodedImage(size, size, square);
    }
}
