package dev.velu.models;

/**
 * Position embeddings of one image size brought to another, as torchvision's {@code interpolate_embeddings} does it: the first
 * row, of the class token, is kept; the others are a square image of so many channels, resized by cubic convolution
 * (Keys 1981, a = -0.75) with the corners aligned.
 */
final class PositionEmbeddings {
    private static final double A = -0.75;
    private static final int TAPS = 4;

    private PositionEmbeddings() {}

    /**
     * Resizes.
     *
     * @param embeddings {@code [1 + from * from, width]}
     * @param from rows and columns of patches before
     * @param to rows and columns of patches after
     * @return {@code [1 + to * to, width]}
     */
    static float[] resize(float[] embeddings, int from, int to, int width) {
        float[] resized = new float[(1 + to * to) * width];
        System.arraycopy(embeddings, 0, resized, 0, width);
        int[][] places = new int[to][];
        double[][] weights = new double[to][];
        for (int i = 0; i < to; i++) {
            double at = to == 1 ? 0 : i * (from - 1.0) / (to - 1);
            int floor = (int) Math.floor(at);
            places[i] = places(floor, from);
            weights[i] = weights(at - floor);
        }
        for (int y = 0; y < to; y++) {
            for (int x = 0; x < to; x++) {
                for (int c = 0; c < width; c++) {
                    double sum = 0;
                    for (int j = 0; j < TAPS; j++) {
                        double row = 0;
                        for (int i = 0; i < TAPS; i++) {
                            int pixel = 1 + places[y][j] * from + places[x][i];
                            row += weights[x][i] * embeddings[pixel * width + c];
                        }
                        sum += weights[y][j] * row;
                    }
                    resized[(1 + y * to + x) * width + c] = (float) sum;
                }
            }
        }
        return resized;
    }

    /** The four pixels around a place; beyond the edge the edge's. */
    private static int[] places(int floor, int size) {
        int[] places = new int[TAPS];
        for (int i = 0; i < TAPS; i++) {
            places[i] = Math.clamp(floor - 1 + i, 0, size - 1);
        }
        return places;
    }

    /** Of the four pixels, by the distance from the second one. */
    private static double[] weights(double t) {
        return new double[] {outer(t + 1), inner(t), inner(1 - t), outer(2 - t)};
    }

    /** Up to a distance of 1. */
    private static double inner(double x) {
        return ((A + 2) * x - (A + 3)) * x * x + 1;
    }

    /** From a distance of 1 to 2. */
    private static double outer(double x) {
        return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
    }
}
