package dev.velu.selftest.oracle;

/**
 * Multi-head self-attention: qkv {@code [batch, tokens, 3, heads, headSize]}, y {@code [batch, tokens, heads, headSize]},
 * the whole matrix of scores of one image and head at a time.
 *
 * <p>The magnitudes are those of the terms that make up a result, with the errors of the scores carried along: an
 * exponential errs, relative to itself, by as much as its argument does absolutely.
 */
public record AttentionOracle(int batch, int tokens, int heads, int headSize, double scale) {
    /** logSumExp is {@code [batch, heads, tokens]}. */
    public record Forward(double[] y, double[] yMagnitude, double[] logSumExp, double[] logSumExpMagnitude) {}

    public record Backward(double[] dqkv, double[] dqkvMagnitude) {}

    private static final int Q = 0;
    private static final int K = 1;
    private static final int V = 2;

    public int qkvSize() {
        return 3 * ySize();
    }

    public int ySize() {
        return batch * tokens * heads * headSize;
    }

    private int at(int image, int token, int part, int head, int channel) {
        return (((image * tokens + token) * 3 + part) * heads + head) * headSize + channel;
    }

    private int at(int image, int token, int head, int channel) {
        return ((image * tokens + token) * heads + head) * headSize + channel;
    }

    /** Softmax of one row of scores. */
    private record Row(double[] probability, double[] magnitude, double logSumExp, double logSumExpMagnitude) {}

    private Row row(double[] qkv, int image, int head, int query) {
        double[] score = new double[tokens];
        double[] scoreMagnitude = new double[tokens];
        double largest = Double.NEGATIVE_INFINITY;
        for (int key = 0; key < tokens; key++) {
            for (int c = 0; c < headSize; c++) {
                double product = scale * qkv[at(image, query, Q, head, c)] * qkv[at(image, key, K, head, c)];
                score[key] += product;
                scoreMagnitude[key] += Math.abs(product);
            }
            largest = Math.max(largest, score[key]);
        }
        double sum = 0;
        for (int key = 0; key < tokens; key++) {
            sum += Math.exp(score[key] - largest);
        }
        double logSumExp = largest + Math.log(sum);
        double[] probability = new double[tokens];
        double logSumExpMagnitude = Math.abs(logSumExp);
        for (int key = 0; key < tokens; key++) {
            probability[key] = Math.exp(score[key] - logSumExp);
            logSumExpMagnitude += probability[key] * scoreMagnitude[key];
        }
        double[] magnitude = new double[tokens];
        for (int key = 0; key < tokens; key++) {
            magnitude[key] = probability[key] * (1 + scoreMagnitude[key] + logSumExpMagnitude);
        }
        return new Row(probability, magnitude, logSumExp, logSumExpMagnitude);
    }

    public Forward forward(double[] qkv) {
        Forward f = new Forward(
                new double[ySize()],
                new double[ySize()],
                new double[batch * heads * tokens],
                new double[batch * heads * tokens]);
        for (int image = 0; image < batch; image++) {
            for (int head = 0; head < heads; head++) {
                for (int query = 0; query < tokens; query++) {
                    Row row = row(qkv, image, head, query);
                    f.logSumExp[(image * heads + head) * tokens + query] = row.logSumExp;
                    f.logSumExpMagnitude[(image * heads + head) * tokens + query] = row.logSumExpMagnitude;
                    for (int key = 0; key < tokens; key++) {
                        for (int c = 0; c < headSize; c++) {
                            double v = qkv[at(image, key, V, head, c)];
                            f.y[at(image, query, head, c)] += row.probability[key] * v;
                            f.yMagnitude[at(image, query, head, c)] += row.magnitude[key] * Math.abs(v);
                        }
                    }
                }
            }
        }
        return f;
    }

    /** {@code dV = P^T dY}, {@code dS = P (dY V^T - rowsum(dY Y))}, {@code dQ = scale dS K}, {@code dK = scale dS^T Q}. */
    public Backward backward(double[] qkv, double[] dy) {
        Forward forward = forward(qkv);
        Backward b = new Backward(new double[qkvSize()], new double[qkvSize()]);
        for (int image = 0; image < batch; image++) {
            for (int head = 0; head < heads; head++) {
                for (int query = 0; query < tokens; query++) {
                    Row row = row(qkv, image, head, query);
                    double mean = 0;
                    double meanMagnitude = 0;
                    for (int c = 0; c < headSize; c++) {
                        int i = at(image, query, head, c);
                        mean += dy[i] * forward.y[i];
                        meanMagnitude += Math.abs(dy[i]) * forward.yMagnitude[i];
                    }
                    for (int key = 0; key < tokens; key++) {
                        double dp = 0;
                        double dpMagnitude = 0;
                        for (int c = 0; c < headSize; c++) {
                            double g = dy[at(image, query, head, c)];
                            int v = at(image, key, V, head, c);
                            dp += g * qkv[v];
                            dpMagnitude += Math.abs(g * qkv[v]);
                            b.dqkv[v] += row.probability[key] * g;
                            b.dqkvMagnitude[v] += row.magnitude[key] * Math.abs(g);
                        }
                        double ds = scale * row.probability[key] * (dp - mean);
                        double dsMagnitude = scale * row.magnitude[key] * (dpMagnitude + meanMagnitude);
                        for (int c = 0; c < headSize; c++) {
                            int q = at(image, query, Q, head, c);
                            int k = at(image, key, K, head, c);
                            b.dqkv[q] += ds * qkv[k];
                            b.dqkvMagnitude[q] += dsMagnitude * Math.abs(qkv[k]);
                            b.dqkv[k] += ds * qkv[q];
                            b.dqkvMagnitude[k] += dsMagnitude * Math.abs(qkv[q]);
                        }
                    }
                }
            }
        }
        return b;
    }
}
