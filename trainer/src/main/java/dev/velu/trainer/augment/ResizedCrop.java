package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;

/**
 * Cuts out a random part of an image and enlarges it to the whole: torchvision's {@code RandomResizedCrop} with aspect ratios from
 * 3:4 to 4:3, bilinear. It cuts from the square that evaluation sees, not from the file's image, so that decoded squares can be kept.
 */
final class ResizedCrop implements Transform {
    private static final int ATTEMPTS = 10;
    private static final double LOG_RATIO = StrictMath.log(4.0 / 3);
    private static final int BITS = 11;
    private static final int ONE = 1 << BITS;
    private static final int HALF = 1 << (2 * BITS - 1);

    private final float leastArea;
    /** Per output column, the first byte of the two input columns it is between, and the weight of the second. */
    private int[] left = new int[0];

    private int[] right = new int[0];
    private int[] weight = new int[0];

    /** @param leastArea smallest share of the image's area, in (0, 1] */
    ResizedCrop(float leastArea) {
        this.leastArea = leastArea;
    }

    @Override
    public boolean apply(byte[] in, byte[] out, int size, SplitMix random) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double area = (double) size * size * random.nextDouble(leastArea, 1);
            double ratio = StrictMath.exp(random.nextDouble(-LOG_RATIO, LOG_RATIO));
            int width = (int) Math.rint(Math.sqrt(area * ratio));
            int height = (int) Math.rint(Math.sqrt(area / ratio));
            if (width > 0 && width <= size && height > 0 && height <= size) {
                int top = random.nextInt(size - height + 1);
                int firstColumn = random.nextInt(size - width + 1);
                enlarge(in, out, size, firstColumn, top, width, height);
                return true;
            }
        }
        return false;
    }

    /** Brings the rectangle to {@code size x size} pixels. */
    void enlarge(byte[] in, byte[] out, int size, int firstColumn, int top, int width, int height) {
        if (left.length < size) {
            left = new int[size];
            right = new int[size];
            weight = new int[size];
        }
        for (int x = 0; x < size; x++) {
            double position = position(x, size, width);
            int column = (int) position;
            left[x] = (firstColumn + column) * 3;
            right[x] = (firstColumn + Math.min(column + 1, width - 1)) * 3;
            weight[x] = (int) Math.rint((position - column) * ONE);
        }
        int rowBytes = size * 3;
        int target = 0;
        for (int y = 0; y < size; y++) {
            double position = position(y, size, height);
            int row = (int) position;
            int upper = (top + row) * rowBytes;
            int lower = (top + Math.min(row + 1, height - 1)) * rowBytes;
            int down = (int) Math.rint((position - row) * ONE);
            for (int x = 0; x < size; x++) {
                int across = weight[x];
                for (int c = 0; c < 3; c++) {
                    int above = (in[upper + left[x] + c] & 255) * (ONE - across)
                            + (in[upper + right[x] + c] & 255) * across;
                    int below = (in[lower + left[x] + c] & 255) * (ONE - across)
                            + (in[lower + right[x] + c] & 255) * across;
                    out[target++] = (byte) ((above * (ONE - down) + below * down + HALF) >> (2 * BITS));
                }
            }
        }
    }

    /** Where the centre of an output pixel lies between the centres of the input's, from the first, within them. */
    private static double position(int output, int outputs, int inputs) {
        return Math.clamp((output + 0.5) * inputs / outputs - 0.5, 0, inputs - 1);
    }
}
