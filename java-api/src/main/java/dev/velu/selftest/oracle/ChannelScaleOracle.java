package dev.velu.selftest.oracle;

/** y = x scale: x {@code [batch, pixels, channels]}, scale {@code [batch, channels]}. */
public record ChannelScaleOracle(int batch, int pixels, int channels) {
    public int xSize() {
        return batch * pixels * channels;
    }

    public int scaleSize() {
        return batch * channels;
    }

    private int scaleOf(int x) {
        return x / (pixels * channels) * channels + x % channels;
    }

    public double[] forward(double[] x, double[] scale) {
        double[] y = new double[xSize()];
        for (int i = 0; i < y.length; i++) {
            y[i] = x[i] * scale[scaleOf(i)];
        }
        return y;
    }

    public double[] backwardScale(double[] x, double[] dy) {
        double[] dscale = new double[scaleSize()];
        for (int i = 0; i < x.length; i++) {
            dscale[scaleOf(i)] += dy[i] * x[i];
        }
        return dscale;
    }
}
