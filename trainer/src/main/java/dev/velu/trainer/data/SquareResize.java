package dev.velu.trainer.data;

/**
 * Resizes an image so that its shorter side has {@code size} pixels and keeps the centre {@code size x size}.
 *
 * <p>Bilinear with antialiasing and {@code align_corners=False}: a triangle filter whose half-width is the factor of
 * reduction (1 when enlarging), applied to rows and then to columns, each pass rounded to uint8. Size, crop position
 * and arithmetic are those of torchvision's {@code Resize(size)} and {@code CenterCrop(size)} on a Pillow image: the
 * longer side is {@code floor(size * longer / shorter)}, weights are fixed-point numbers of 22 bits.
 *
 * <p>Keeps its weights and scratch memory for the next image, so that a set of equal sizes computes weights once. Not
 * for use by two threads at once.
 */
final class SquareResize {

    private static final int WEIGHT_BITS = 22;
    private static final int HALF = 1 << (WEIGHT_BITS - 1);

    private final int size;
    private Weights columns = Weights.NONE;
    private Weights rows = Weights.NONE;
    private byte[] scratch = new byte[0];

    SquareResize(int size) {
        this.size = size;
    }

    /**
     * Writes the square into {@code out}.
     *
     * @param out uint8 {@code [size, size, 3]}
     */
    void apply(DecodedImage image, byte[] out) {
        int width = image.width();
        int height = image.height();
        if (width == size && height == size) {
            System.arraycopy(image.rgb(), 0, out, 0, out.length);
            return;
        }
        int shorter = Math.min(width, height);
        long resizedWidth = (long) size * width / shorter;
        long resizedHeight = (long) size * height / shorter;
        if (!columns.matches(width, resizedWidth, size)) {
            columns = Weights.of(width, resizedWidth, size);
        }
        if (!rows.matches(height, resizedHeight, size)) {
            rows = Weights.of(height, resizedHeight, size);
        }
        int firstRow = rows.first[0];
        int lastRow = rows.first[size - 1] + rows.count[size - 1];
        int needed = (lastRow - firstRow) * size * 3;
        if (scratch.length < needed) {
            scratch = new byte[needed];
        }
        resizeRows(image.rgb(), width, firstRow, lastRow);
        resizeColumns(firstRow, out);
    }

    /** Image rows {@code [firstRow, lastRow)} of {@code width} pixels to scratch rows of {@code size} pixels. */
    private void resizeRows(byte[] rgb, int width, int firstRow, int lastRow) {
        int out = 0;
        for (int y = firstRow; y < lastRow; y++) {
            int row = y * width * 3;
            for (int x = 0; x < size; x++) {
                int red = HALF;
                int green = HALF;
                int blue = HALF;
                int in = row + columns.first[x] * 3;
                int weight = x * columns.stride;
                for (int k = columns.count[x]; k > 0; k--, in += 3, weight++) {
                    int w = columns.weight[weight];
                    red += (rgb[in] & 255) * w;
                    green += (rgb[in + 1] & 255) * w;
                    blue += (rgb[in + 2] & 255) * w;
                }
                scratch[out] = toByte(red);
                scratch[out + 1] = toByte(green);
                scratch[out + 2] = toByte(blue);
                out += 3;
            }
        }
    }

    /** Scratch rows, the first of which is image row {@code firstRow}, to the rows of {@code out}. */
    private void resizeColumns(int firstRow, byte[] out) {
        int rowBytes = size * 3;
        for (int y = 0; y < size; y++) {
            int top = (rows.first[y] - firstRow) * rowBytes;
            for (int x = 0; x < rowBytes; x++) {
                int sum = HALF;
                int in = top + x;
                int weight = y * rows.stride;
                for (int k = rows.count[y]; k > 0; k--, in += rowBytes, weight++) {
                    sum += (scratch[in] & 255) * rows.weight[weight];
                }
                out[y * rowBytes + x] = toByte(sum);
            }
        }
    }

    /** Rounded weights may sum to a little over one, so the upper end is clipped; they are never negative. */
    private static byte toByte(int fixedPoint) {
        return (byte) Math.min(fixedPoint >> WEIGHT_BITS, 255);
    }

    /**
     * The filter for {@code outputs} pixels in the middle of a line resized from {@code length} to {@code resized}.
     *
     * @param first per output, the first input pixel it reads
     * @param count per output, how many it reads
     * @param weight per output, {@code stride} weights
     */
    private record Weights(int length, long resized, int outputs, int[] first, int[] count, int[] weight, int stride) {

        static final Weights NONE = new Weights(0, 0, 0, new int[0], new int[0], new int[0], 0);

        boolean matches(int otherLength, long otherResized, int otherOutputs) {
            return length == otherLength && resized == otherResized && outputs == otherOutputs;
        }

        static Weights of(int length, long resized, int outputs) {
            double scale = (double) length / resized;
            double support = Math.max(scale, 1);
            int stride = (int) Math.ceil(support) * 2 + 1;
            int[] first = new int[outputs];
            int[] count = new int[outputs];
            int[] weight = new int[outputs * stride];
            double[] exact = new double[stride];
            long crop = (long) Math.rint((resized - outputs) / 2.0);
            for (int i = 0; i < outputs; i++) {
                double center = (crop + i + 0.5) * scale;
                first[i] = Math.max((int) (center - support + 0.5), 0);
                count[i] = Math.min((int) (center + support + 0.5), length) - first[i];
                double sum = 0;
                for (int k = 0; k < count[i]; k++) {
                    double distance = Math.abs(first[i] + k - center + 0.5) / support;
                    exact[k] = Math.max(1 - distance, 0);
                    sum += exact[k];
                }
                for (int k = 0; k < count[i]; k++) {
                    weight[i * stride + k] = (int) (0.5 + exact[k] / sum * (1 << WEIGHT_BITS));
                }
            }
            return new Weights(length, resized, outputs, first, count, weight, stride);
        }
    }
}
