package dev.velu.selftest.oracle;

/** torch's adaptive_avg_pool2d of x {@code [batch, height, width, channels]}. */
public record AdaptiveAvgPool2dOracle(int batch, int height, int width, int channels, int outHeight, int outWidth) {
    private interface Pair {
        void of(int x, int y, int windowSize);
    }

    public int xSize() {
        return batch * height * width * channels;
    }

    public int ySize() {
        return batch * outHeight * outWidth * channels;
    }

    private static int begin(int output, int in, int out) {
        return (int) Math.floor((double) output * in / out);
    }

    private static int end(int output, int in, int out) {
        return (int) Math.ceil((double) (output + 1) * in / out);
    }

    private void eachPair(Pair pair) {
        for (int y = 0; y < ySize(); y++) {
            int c = y % channels;
            int column = y / channels % outWidth;
            int row = y / channels / outWidth % outHeight;
            int image = y / channels / outWidth / outHeight;
            int top = begin(row, height, outHeight);
            int bottom = end(row, height, outHeight);
            int left = begin(column, width, outWidth);
            int right = end(column, width, outWidth);
            for (int h = top; h < bottom; h++) {
                for (int w = left; w < right; w++) {
                    pair.of(((image * height + h) * width + w) * channels + c, y, (bottom - top) * (right - left));
                }
            }
        }
    }

    public double[] forward(double[] x) {
        double[] y = new double[ySize()];
        eachPair((xi, yi, size) -> y[yi] += x[xi] / size);
        return y;
    }

    public double[] backward(double[] dy) {
        double[] dx = new double[xSize()];
        eachPair((xi, yi, size) -> dx[xi] += dy[yi] / size);
        return dx;
    }
}
