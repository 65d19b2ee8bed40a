package dev.velu.trainer.augment;

import java.util.Arrays;

/**
 * Shearing, moving and turning, by the nearest pixel; what comes from outside is black. Directions and origins are torchvision's:
 * shear from the upper left corner, rotation about the centre, counter-clockwise.
 */
final class Affine {
    private static final PixelOperation IDENTITY =
            (in, out, size, amount) -> System.arraycopy(in, 0, out, 0, in.length);

    private Affine() {}

    /** No change, whatever the amount. */
    static PixelOperation identity() {
        return IDENTITY;
    }

    /** Moves rows apart: a row takes its pixels from {@code amount} more to the right than the one above. */
    static PixelOperation shearX() {
        return (in, out, size, amount) -> sample(in, out, size, 1, amount, 0, 0, 1, 0);
    }

    /** Moves columns apart: a column takes its pixels from {@code amount} lower than the one to its left. */
    static PixelOperation shearY() {
        return (in, out, size, amount) -> sample(in, out, size, 1, 0, 0, amount, 1, 0);
    }

    /** Moves to the right by {@code amount} times the size, in whole pixels towards zero. */
    static PixelOperation translateX() {
        return (in, out, size, amount) -> sample(in, out, size, 1, 0, -(int) (amount * size), 0, 1, 0);
    }

    /** Moves down by {@code amount} times the size, in whole pixels towards zero. */
    static PixelOperation translateY() {
        return (in, out, size, amount) -> sample(in, out, size, 1, 0, 0, 0, 1, -(int) (amount * size));
    }

    /** Turns by {@code amount} degrees. */
    static PixelOperation rotate() {
        return (in, out, size, amount) -> {
            double cos = StrictMath.cos(-Math.toRadians(amount));
            double sin = StrictMath.sin(-Math.toRadians(amount));
            double center = size / 2.0;
            sample(
                    in,
                    out,
                    size,
                    cos,
                    sin,
                    center - cos * center - sin * center,
                    -sin,
                    cos,
                    center + sin * center - cos * center);
        };
    }

    /** Takes output {@code (x, y)} from {@code (ax + by + c, dx + ey + f)}, coordinates of pixels' centres. */
    private static void sample(
            byte[] in, byte[] out, int size, double a, double b, double c, double d, double e, double f) {
        int target = 0;
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++, target += 3) {
                double column = Math.floor(a * (x + 0.5) + b * (y + 0.5) + c);
                double row = Math.floor(d * (x + 0.5) + e * (y + 0.5) + f);
                if (column >= 0 && column < size && row >= 0 && row < size) {
                    int source = ((int) row * size + (int) column) * 3;
                    out[target] = in[source];
                    out[target + 1] = in[source + 1];
                    out[target + 2] = in[source + 2];
                } else {
                    Arrays.fill(out, target, target + 3, (byte) 0);
                }
            }
        }
    }
}
