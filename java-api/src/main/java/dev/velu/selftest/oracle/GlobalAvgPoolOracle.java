package dev.velu.selftest.oracle;

/** Mean over the pixels of x {@code [batch, pixels, channels]}. */
public record GlobalAvgPoolOracle(int batch, int pixels, int channels) {
    public double[] forward(double[] x) {
        double[] y = new double[batch * channels];
        for (int i = 0; i < x.length; i++) {
            y[i / (pixels * channels) * channels + i % channels] += x[i] / pixels;
        }
        return y;
    }

    public double[] backward(double[] dy) {
        double[] dx = new double[batch * pixels * channels];
        for (int i = 0; i < dx.length; i++) {
            dx[i] = dy[i / (pixels * channels) * channels + i % channels] / pixels;
        }
        return dx;
    }
}
