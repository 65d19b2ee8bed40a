package dev.velu.selftest.oracle;

import dev.velu.op.Conv2d;

/**
 * 2-D cross-correlation with zero padding: x {@code [N, H, W, C]}, weight {@code [O, kh, kw, C / groups]}, y
 * {@code [N, H', W', O]}.
 *
 * <p>The magnitude of a result is the same sum over absolute values of the operands.
 */
public record Conv2dOracle(
        Conv2d conv, int batch, int height, int width, int channels, int outputs, int kernelHeight, int kernelWidth) {

    public int outHeight() {
        return (height + 2 * conv.paddingHeight() - conv.dilationHeight() * (kernelHeight - 1) - 1)
                        / conv.strideHeight()
                + 1;
    }

    public int outWidth() {
        return (width + 2 * conv.paddingWidth() - conv.dilationWidth() * (kernelWidth - 1) - 1) / conv.strideWidth()
                + 1;
    }

    public int xSize() {
        return batch * height * width * channels;
    }

    public int weightSize() {
        return outputs * kernelHeight * kernelWidth * (channels / conv.groups());
    }

    public int ySize() {
        return batch * outHeight() * outWidth() * outputs;
    }

    /** bias may be null. */
    public double[] forward(double[] x, double[] weight, double[] bias) {
        double[] y = new double[ySize()];
        eachProduct((xi, wi, yi) -> y[yi] += x[xi] * weight[wi]);
        if (bias != null) {
            for (int i = 0; i < y.length; i++) {
                y[i] += bias[i % outputs];
            }
        }
        return y;
    }

    public double[] backwardData(double[] dy, double[] weight) {
        double[] dx = new double[xSize()];
        eachProduct((xi, wi, yi) -> dx[xi] += dy[yi] * weight[wi]);
        return dx;
    }

    public double[] backwardWeights(double[] x, double[] dy) {
        double[] dweight = new double[weightSize()];
        eachProduct((xi, wi, yi) -> dweight[wi] += dy[yi] * x[xi]);
        return dweight;
    }

    public double[] backwardBias(double[] dy) {
        double[] dbias = new double[outputs];
        for (int i = 0; i < dy.length; i++) {
            dbias[i % outputs] += dy[i];
        }
        return dbias;
    }

    private interface Product {
        void of(int x, int weight, int y);
    }

    /** Visits every product x * weight that a y sums: the definition, from which all three passes follow. */
    private void eachProduct(Product product) {
        int groupInputs = channels / conv.groups();
        int groupOutputs = outputs / conv.groups();
        for (int n = 0; n < batch; n++) {
            for (int oh = 0; oh < outHeight(); oh++) {
                for (int ow = 0; ow < outWidth(); ow++) {
                    for (int o = 0; o < outputs; o++) {
                        int yi = ((n * outHeight() + oh) * outWidth() + ow) * outputs + o;
                        int firstInput = o / groupOutputs * groupInputs;
                        for (int kh = 0; kh < kernelHeight; kh++) {
                            int h = oh * conv.strideHeight() - conv.paddingHeight() + kh * conv.dilationHeight();
                            for (int kw = 0; kw < kernelWidth; kw++) {
                                int w = ow * conv.strideWidth() - conv.paddingWidth() + kw * conv.dilationWidth();
                                if (h < 0 || h >= height || w < 0 || w >= width) {
                                    continue;
                                }
                                for (int c = 0; c < groupInputs; c++) {
                                    int xi = ((n * height + h) * width + w) * channels + firstInput + c;
                                    int wi = ((o * kernelHeight + kh) * kernelWidth + kw) * groupInputs + c;
                                    product.of(xi, wi, yi);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
