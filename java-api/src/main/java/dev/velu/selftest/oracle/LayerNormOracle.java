package dev.velu.selftest.oracle;

/** Layer normalization of z {@code [rows, channels]} over its channels, from deviations, with the biased variance. */
public record LayerNormOracle(int rows, int channels, double eps) {
    public record Forward(double[] y, double[] yMagnitude, double[] mean, double[] meanMagnitude, double[] invStd) {}

    public record Backward(
            double[] dz,
            double[] dzMagnitude,
            double[] dweight,
            double[] dweightMagnitude,
            double[] dbias,
            double[] dbiasMagnitude) {}

    public Forward forward(double[] z, double[] weight, double[] bias) {
        Forward f = new Forward(
                new double[z.length], new double[z.length], new double[rows], new double[rows], new double[rows]);
        for (int row = 0; row < rows; row++) {
            int first = row * channels;
            for (int c = 0; c < channels; c++) {
                f.mean[row] += z[first + c] / channels;
                f.meanMagnitude[row] += Math.abs(z[first + c]) / channels;
            }
            double variance = 0;
            for (int c = 0; c < channels; c++) {
                double deviation = z[first + c] - f.mean[row];
                variance += deviation * deviation / channels;
            }
            f.invStd[row] = 1 / Math.sqrt(variance + eps);
            for (int c = 0; c < channels; c++) {
                f.y[first + c] = weight[c] * (z[first + c] - f.mean[row]) * f.invStd[row] + bias[c];
                f.yMagnitude[first + c] =
                        Math.abs(weight[c]) * normalizedMagnitude(z, f, first + c) + Math.abs(bias[c]);
            }
        }
        return f;
    }

    private double normalizedMagnitude(double[] z, Forward f, int i) {
        return (Math.abs(z[i]) + f.meanMagnitude[i / channels]) * f.invStd[i / channels];
    }

    /**
     * With n the normalized z and g = weight dy: {@code dz = invStd (g - mean(g) - n mean(g n)) + addend}; addend may be
     * null.
     */
    public Backward backward(double[] z, double[] dy, double[] addend, double[] weight) {
        Forward f = forward(z, weight, new double[channels]);
        Backward b = new Backward(
                new double[z.length],
                new double[z.length],
                new double[channels],
                new double[channels],
                new double[channels],
                new double[channels]);
        for (int row = 0; row < rows; row++) {
            int first = row * channels;
            double mean = 0;
            double meanMagnitude = 0;
            double product = 0;
            double productMagnitude = 0;
            for (int c = 0; c < channels; c++) {
                int i = first + c;
                double n = (z[i] - f.mean[row]) * f.invStd[row];
                double nMagnitude = normalizedMagnitude(z, f, i);
                double g = weight[c] * dy[i];
                mean += g / channels;
                meanMagnitude += Math.abs(g) / channels;
                product += g * n / channels;
                productMagnitude += Math.abs(g) * nMagnitude / channels;
                b.dweight[c] += dy[i] * n;
                b.dweightMagnitude[c] += Math.abs(dy[i]) * nMagnitude;
                b.dbias[c] += dy[i];
                b.dbiasMagnitude[c] += Math.abs(dy[i]);
            }
            for (int c = 0; c < channels; c++) {
                int i = first + c;
                double n = (z[i] - f.mean[row]) * f.invStd[row];
                double g = weight[c] * dy[i];
                double other = addend == null ? 0 : addend[i];
                b.dz[i] = f.invStd[row] * (g - mean - n * product) + other;
                b.dzMagnitude[i] = f.invStd[row]
                                * (Math.abs(g) + meanMagnitude + normalizedMagnitude(z, f, i) * productMagnitude)
                        + Math.abs(other);
            }
        }
        return b;
    }
}
