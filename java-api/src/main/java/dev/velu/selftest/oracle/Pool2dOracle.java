package dev.velu.selftest.oracle;

import dev.velu.op.PoolWindow;
import java.util.Arrays;

/** Maximum and average over windows of x {@code [N, H, W, C]}; y {@code [N, H', W', C]}. */
public record Pool2dOracle(PoolWindow window, int batch, int height, int width, int channels) {
    /** @param argmax position in the window, {@code row * kernelWidth + column} */
    public record Maximum(double[] y, int[] argmax) {}

    public int outHeight() {
        return (height + 2 * window.paddingHeight() - window.kernelHeight()) / window.strideHeight() + 1;
    }

    public int outWidth() {
        return (width + 2 * window.paddingWidth() - window.kernelWidth()) / window.strideWidth() + 1;
    }

    public int xSize() {
        return batch * height * width * channels;
    }

    public int ySize() {
        return batch * outHeight() * outWidth() * channels;
    }

    /** Padding is -infinity; a NaN wins, of equals the first. */
    public Maximum maximum(double[] x) {
        double[] y = new double[ySize()];
        int[] argmax = new int[ySize()];
        boolean[] found = new boolean[ySize()];
        eachPair((xi, yi, position) -> {
            if (!found[yi] || x[xi] > y[yi] || (Double.isNaN(x[xi]) && !Double.isNaN(y[yi]))) {
                found[yi] = true;
                y[yi] = x[xi];
                argmax[yi] = position;
            }
        });
        return new Maximum(y, argmax);
    }

    public double[] maximumBackward(double[] dy, int[] argmax) {
        double[] dx = new double[xSize()];
        eachPair((xi, yi, position) -> {
            if (argmax[yi] == position) {
                dx[xi] += dy[yi];
            }
        });
        return dx;
    }

    /** @param includePadding divide by the kernel's size, not by the elements inside the image */
    public double[] average(double[] x, boolean includePadding) {
        double[] y = new double[ySize()];
        int[] divisor = divisors(includePadding);
        eachPair((xi, yi, position) -> y[yi] += x[xi] / divisor[yi]);
        return y;
    }

    public double[] averageBackward(double[] dy, boolean includePadding) {
        double[] dx = new double[xSize()];
        int[] divisor = divisors(includePadding);
        eachPair((xi, yi, position) -> dx[xi] += dy[yi] / divisor[yi]);
        return dx;
    }

    private int[] divisors(boolean includePadding) {
        int[] divisors = new int[ySize()];
        if (includePadding) {
            Arrays.fill(divisors, window.kernelHeight() * window.kernelWidth());
        } else {
            eachPair((xi, yi, position) -> divisors[yi]++);
        }
        return divisors;
    }

    private interface Pair {
        void of(int x, int y, int position);
    }

    /** Visits every element of every window that lies inside the image, in the window's order. */
    private void eachPair(Pair pair) {
        for (int yi = 0; yi < ySize(); yi++) {
            int c = yi % channels;
            int ow = yi / channels % outWidth();
            int oh = yi / channels / outWidth() % outHeight();
            int n = yi / channels / outWidth() / outHeight();
            for (int kh = 0; kh < window.kernelHeight(); kh++) {
                int h = oh * window.strideHeight() - window.paddingHeight() + kh;
                for (int kw = 0; kw < window.kernelWidth(); kw++) {
                    int w = ow * window.strideWidth() - window.paddingWidth() + kw;
                    if (h >= 0 && h < height && w >= 0 && w < width) {
                        pair.of(((n * height + h) * width + w) * channels + c, yi, kh * window.kernelWidth() + kw);
                    }
                }
            }
        }
    }
}
