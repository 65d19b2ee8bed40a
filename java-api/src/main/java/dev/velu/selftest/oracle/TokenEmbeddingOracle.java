package dev.velu.selftest.oracle;

/** The class token before the patches x {@code [batch, patches, channels]}, plus position {@code [patches + 1, channels]}. */
public record TokenEmbeddingOracle(int batch, int patches, int channels) {
    public int xSize() {
        return batch * patches * channels;
    }

    public int positionSize() {
        return (patches + 1) * channels;
    }

    public int ySize() {
        return batch * positionSize();
    }

    public double[] forward(double[] x, double[] classToken, double[] position) {
        double[] y = new double[ySize()];
        for (int i = 0; i < y.length; i++) {
            int image = i / positionSize();
            int inImage = i % positionSize();
            double token =
                    inImage < channels ? classToken[inImage] : x[image * patches * channels + inImage - channels];
            y[i] = token + position[inImage];
        }
        return y;
    }

    public double[] backwardX(double[] dy) {
        double[] dx = new double[xSize()];
        for (int i = 0; i < dx.length; i++) {
            int image = i / (patches * channels);
            dx[i] = dy[i + (image + 1) * channels];
        }
        return dx;
    }

    /** Its first token is the class token's. */
    public double[] backwardPosition(double[] dy) {
        double[] dposition = new double[positionSize()];
        for (int i = 0; i < dy.length; i++) {
            dposition[i % positionSize()] += dy[i];
        }
        return dposition;
    }
}
