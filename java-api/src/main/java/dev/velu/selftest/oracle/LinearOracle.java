package dev.velu.selftest.oracle;

/** y = x weight^T + bias: x {@code [rows, in]}, weight {@code [out, in]}, y {@code [rows, out]}. */
public record LinearOracle(int rows, int inFeatures, int outFeatures) {
    /** bias may be null. */
    public double[] forward(double[] x, double[] weight, double[] bias) {
        double[] y = new double[rows * outFeatures];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < outFeatures; o++) {
                double sum = bias == null ? 0 : bias[o];
                for (int i = 0; i < inFeatures; i++) {
                    sum += x[r * inFeatures + i] * weight[o * inFeatures + i];
                }
                y[r * outFeatures + o] = sum;
            }
        }
        return y;
    }

    public double[] backwardData(double[] dy, double[] weight) {
        double[] dx = new double[rows * inFeatures];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < outFeatures; o++) {
                for (int i = 0; i < inFeatures; i++) {
                    dx[r * inFeatures + i] += dy[r * outFeatures + o] * weight[o * inFeatures + i];
                }
            }
        }
        return dx;
    }

    public double[] backwardWeights(double[] x, double[] dy) {
        double[] dweight = new double[outFeatures * inFeatures];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < outFeatures; o++) {
                for (int i = 0; i < inFeatures; i++) {
                    dweight[o * inFeatures + i] += dy[r * outFeatures + o] * x[r * inFeatures + i];
                }
            }
        }
        return dweight;
    }

    public double[] backwardBias(double[] dy) {
        double[] dbias = new double[outFeatures];
        for (int i = 0; i < dy.length; i++) {
            dbias[i % outFeatures] += dy[i];
        }
        return dbias;
    }
}
