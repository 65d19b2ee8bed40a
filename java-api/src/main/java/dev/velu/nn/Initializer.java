package dev.velu.nn;

/** Distribution of a parameter's first values. */
public sealed interface Initializer {
    /** Every element has this value. */
    record Constant(double value) implements Initializer {}

    /** Uniform in {@code [low, high)}. */
    record Uniform(float low, float high) implements Initializer {}

    /** Normal. */
    record Normal(float mean, float std) implements Initializer {}

    /** Normal, redrawn until it lies in {@code [low, high]}: the cut-offs are absolute, not in units of std (torch's rule). */
    record TruncatedNormal(float mean, float std, float low, float high) implements Initializer {}

    /** {@code std = sqrt(2 / fan)}: He et al. 2015, for ReLU. torch's {@code kaiming_normal_(nonlinearity="relu")}. */
    static Initializer heNormal(long fan) {
        return new Normal(0, (float) Math.sqrt(2.0 / fan));
    }

    /** {@code uniform(-1 / sqrt(fanIn), 1 / sqrt(fanIn))}: what torch gives weights and biases of linear layers. */
    static Initializer torchDefault(long fanIn) {
        float bound = (float) (1 / Math.sqrt(fanIn));
        return new Uniform(-bound, bound);
    }

    /** Uniform with bound {@code sqrt(6 / (fanIn + fanOut))}: Glorot and Bengio 2010. torch's {@code xavier_uniform_}. */
    static Initializer xavierUniform(long fanIn, long fanOut) {
        float bound = (float) Math.sqrt(6.0 / (fanIn + fanOut));
        return new Uniform(-bound, bound);
    }
}
