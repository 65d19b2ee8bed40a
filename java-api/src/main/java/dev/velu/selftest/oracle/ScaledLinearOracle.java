package dev.velu.selftest.oracle;

/**
 * y = (x scale) weight^T: x {@code [batch, pixels, in]}, scale {@code [batch, in]}, weight {@code [out, in]}, y
 * {@code [batch, pixels, out]}. Every result is a sum of products, so of absolute values it gives its own magnitude.
 */
public record ScaledLinearOracle(int batch, int pixels, int inFeatures, int outFeatures) {
    private interface Term {
        void of(int x, int scale, int weight, int y);
    }

    public int xSize() {
        return batch * pixels * inFeatures;
    }

    public int ySize() {
        return batch * pixels * outFeatures;
    }

    private void eachTerm(Term term) {
        for (int row = 0; row < batch * pixels; row++) {
            for (int out = 0; out < outFeatures; out++) {
                for (int in = 0; in < inFeatures; in++) {
                    term.of(
                            row * inFeatures + in,
                            row / pixels * inFeatures + in,
                            out * inFeatures + in,
                            row * outFeatures + out);
                }
            }
        }
    }

    public double[] forward(double[] x, double[] scale, double[] weight) {
        double[] y = new double[ySize()];
        eachTerm((xi, si, wi, yi) -> y[yi] += x[xi] * scale[si] * weight[wi]);
        return y;
    }

    public double[] backwardX(double[] scale, double[] dy, double[] weight) {
        double[] dx = new double[xSize()];
        eachTerm((xi, si, wi, yi) -> dx[xi] += dy[yi] * weight[wi] * scale[si]);
        return dx;
    }

    public double[] backwardScale(double[] x, double[] dy, double[] weight) {
        double[] dscale = new double[batch * inFeatures];
        eachTerm((xi, si, wi, yi) -> dscale[si] += dy[yi] * weight[wi] * x[xi]);
        return dscale;
    }

    public double[] backwardWeights(double[] x, double[] scale, double[] dy) {
        double[] dweight = new double[outFeatures * inFeatures];
        eachTerm((xi, si, wi, yi) -> dweight[wi] += dy[yi] * x[xi] * scale[si]);
        return dweight;
    }
}
