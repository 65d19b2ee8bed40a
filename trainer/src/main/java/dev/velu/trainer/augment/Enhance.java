package dev.velu.trainer.augment;

/**
 * Blends an image with a poorer version of itself, as Pillow's {@code ImageEnhance}: a factor of 0 gives the poorer version, 1 the
 * image, more than 1 exaggerates. {@link #brightness}, {@link #contrast} and {@link #saturation} may write where they read.
 */
final class Enhance {
    /** Shares of red, green and blue in a gray value (ITU-R 601-2), in 2^-16. */
    private static final int RED = 19595;

    private static final int GREEN = 38470;
    private static final int BLUE = 7471;
    private static final int HALF = 1 << 15;

    private Enhance() {}

    /** Against black. */
    static void brightness(byte[] in, byte[] out, int size, double factor) {
        for (int i = 0; i < in.length; i++) {
            out[i] = blend(0, in[i] & 255, (float) factor);
        }
    }

    /** Against the image's mean gray. */
    static void contrast(byte[] in, byte[] out, int size, double factor) {
        long sum = 0;
        for (int i = 0; i < in.length; i += 3) {
            sum += gray(in, i);
        }
        int mean = (int) ((double) sum / (in.length / 3) + 0.5);
        for (int i = 0; i < in.length; i++) {
            out[i] = blend(mean, in[i] & 255, (float) factor);
        }
    }

    /** Against the gray image. */
    static void saturation(byte[] in, byte[] out, int size, double factor) {
        for (int i = 0; i < in.length; i += 3) {
            int gray = gray(in, i);
            for (int c = i; c < i + 3; c++) {
                out[c] = blend(gray, in[c] & 255, (float) factor);
            }
        }
    }

    /** Against the image smoothed by a 3 x 3 filter of ones around a 5; pixels of the border stay. */
    static void sharpness(byte[] in, byte[] out, int size, double factor) {
        int rowBytes = size * 3;
        for (int y = 0; y < size; y++) {
            for (int i = y * rowBytes; i < (y + 1) * rowBytes; i++) {
                int column = i - y * rowBytes;
                boolean border = y == 0 || y == size - 1 || column < 3 || column >= rowBytes - 3;
                int own = in[i] & 255;
                out[i] = border ? in[i] : blend(smooth(in, i, rowBytes, own), own, (float) factor);
            }
        }
    }

    private static int smooth(byte[] in, int i, int rowBytes, int own) {
        int sum = 4 * own;
        for (int row = i - rowBytes; row <= i + rowBytes; row += rowBytes) {
            sum += (in[row - 3] & 255) + (in[row] & 255) + (in[row + 3] & 255);
        }
        return (2 * sum + 13) / 26;
    }

    private static int gray(byte[] rgb, int pixel) {
        return ((rgb[pixel] & 255) * RED + (rgb[pixel + 1] & 255) * GREEN + (rgb[pixel + 2] & 255) * BLUE + HALF) >> 16;
    }

    private static byte blend(int poorer, int own, float factor) {
        return (byte) Math.clamp((int) (poorer + factor * (own - poorer)), 0, 255);
    }
}
