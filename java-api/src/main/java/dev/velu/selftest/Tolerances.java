package dev.velu.selftest;

/**
 * All tolerances, each with its reason. Results are float32 (unit roundoff u = 2^-24 = 6.0e-8), references float64; data
 * in BF16 has the same tolerance and that of its rounding, and inputs that bfloat16 holds exactly. The
 * magnitude of a sum is the sum of its terms' absolute values, so a plain cancellation is not an error; of anything
 * else it is the result's own absolute value.
 *
 * <p>Where no tolerance is named, results must be equal: addition, products of two numbers, maximum pooling, dropout, casts,
 * transposition, copies, uniform random numbers, counts.
 */
final class Tolerances {
    private Tolerances() {}

    /** VeLU's specification: y, relative to |y|. */
    static final Tolerance VELU_Y = new Tolerance(2e-6, 1e-7);

    /** VeLU's specification: dx, relative to the magnitude of its three terms. */
    static final Tolerance VELU_DX = new Tolerance(4e-6, 1e-7);

    /** VeLU's specification: dlambda, relative to {@code sum |dy A|}. */
    static final Tolerance VELU_DLAMBDA = new Tolerance(4e-6, 1e-7);

    /** VeLU's specification: mean, standard deviation and W2 of A, relative to {@code max(1, |reference|)}. */
    static final Tolerance VELU_MOMENTS = new Tolerance(1e-5, 0);

    /**
     * The gradient of W2 and of the scaling: quantiles, means and deviations are computed in float64 and kept in float32, then
     * come four roundings of terms that are all in the magnitude; 16 u.
     */
    static final Tolerance WASSERSTEIN_GRADIENT = new Tolerance(1e-6, 1e-7);

    /**
     * exp and erf by polynomials of a few u each, then two or three roundings; 32 u together. 1e-7 where f underflows.
     */
    static final Tolerance ACTIVATION = new Tolerance(2e-6, 1e-7);

    /** f' is a sum such as {@code g + x g (1 - g)} whose terms are at most 1.1: the same 32 u, relative to |dy|. */
    static final Tolerance ACTIVATION_GRADIENT = new Tolerance(2e-6, 1e-7);

    /**
     * Sums of products in blocks: a chain of k additions errs by at most k u of the magnitude, and vector lanes and
     * blocks keep chains near 32. The longest sums here have 2048 terms.
     */
    static final Tolerance SUM_OF_PRODUCTS = new Tolerance(2e-6, 1e-7);

    /**
     * An activation of a sum of products: its error times |f'|, at most 1.13, and that of f itself; the magnitude is that of
     * the sum and of the result together.
     */
    static final Tolerance FUSED_ACTIVATION = new Tolerance(4.5e-6, 2e-7);

    /** The largest |f'| of any activation, GELU's, rounded up: by how much f may enlarge a rounding of its argument. */
    static final double STEEPEST = 1.13;

    /**
     * A sum of products of three in BF16: one product, or the sum over two of them, is rounded to BF16 on its way to the
     * third, as the two layers do that the operation stands for; half a unit, at most 2^-8 of every term.
     */
    static final Tolerance SCALED_PRODUCT_BF16 = new Tolerance(0x1p-8 + 2e-6, 1e-7);

    /**
     * Attention: sums of products twice, with an exponential between them that errs relative to itself by what its argument
     * errs absolutely. The magnitude has every probability enlarged by its scores' magnitudes and the log-sum-exp, which
     * leaves 16 u for the chains of both sums. 1e-7 where an exponential underflows.
     */
    static final Tolerance ATTENTION = new Tolerance(1e-6, 1e-7);

    /**
     * Its gradient in BF16 takes the mean of the scores' gradients from y as forward stored it: rounded by half a unit, at most
     * 2^-8 of every term.
     */
    static final Tolerance ATTENTION_GRADIENT_BF16 = new Tolerance(0x1p-8 + 1e-6, 1e-7);

    /**
     * Means of up to a few hundred values: the chain of additions in lanes, and one division; 16 u of the magnitude.
     */
    static final Tolerance MEAN = new Tolerance(1e-6, 1e-9);

    /** The mean of a channel and the root of its variance, from deviations and not from squares of the values; 32 u. */
    static final Tolerance BATCH_STATISTICS = new Tolerance(2e-6, 1e-8);

    /**
     * z = weight (x - mean) invStd + bias + residual with both statistics' errors, then f with |f'| at most 1.2; 64 u.
     */
    static final Tolerance BATCH_NORM_Y = new Tolerance(4e-6, 1e-7);

    /**
     * As VeLU's dx: the magnitude has every term of the activation's gradient and of the two sums over rows. 1e-6 for
     * the change of f' (f'' is at most 0.8) by the error of the recomputed z, about 8 u of values up to 8, times dy up
     * to 5.
     */
    static final Tolerance BATCH_NORM_GRADIENT = new Tolerance(4e-6, 1e-6);

    /**
     * The same in BF16, where the gradient of z lies in BF16 between the two passes of the backward pass: half a unit of
     * it, at most 2^-8, which the sums over rows and dx take on with its share of their magnitude.
     */
    static final Tolerance BATCH_NORM_GRADIENT_BF16 = new Tolerance(0x1p-8 + 4e-6, 1e-6);

    /** weight (z - mean) invStd + bias with the errors of both statistics, 16 u of a row's magnitude each. */
    static final Tolerance LAYER_NORM_Y = new Tolerance(2e-6, 1e-7);

    /** As {@link #BATCH_NORM_GRADIENT} without an activation: every term, and two means over the row; 32 u. */
    static final Tolerance LAYER_NORM_GRADIENT = new Tolerance(2e-6, 1e-7);

    /** logSumExp errs by a few u of its own size and of the logits'; the loss is the difference of the two. */
    static final Tolerance LOSS = new Tolerance(2e-6, 1e-7);

    /**
     * A probability is the exponential of a difference that errs by a few u of its terms, which are part of the
     * magnitude.
     */
    static final Tolerance LOSS_GRADIENT = new Tolerance(2e-6, 1e-9);

    /**
     * 64 u of the change, had all its terms had one sign: gradient and weight decay may cancel, and Adam divides what
     * is left by a root that is then small too.
     */
    static final Tolerance OPTIMIZER_CHANGE = new Tolerance(4e-6, 1e-9);

    /** Rounding of a parameter at every step, relative to the parameter; in addition to the error of the change. */
    static final double PARAMETER_ROUNDING = 0x1p-24;

    /**
     * Moments: products and a sum per step; 16 u of the magnitude. With weight decay the parameters' own tolerance,
     * times the decay, comes on top.
     */
    static final Tolerance OPTIMIZER_STATE = new Tolerance(1e-6, 1e-12);

    /**
     * Computed in float64 and rounded to float32 once; a second u for a reference that lies at the middle of two
     * float32.
     */
    static final Tolerance ROUNDED_ONCE = new Tolerance(0x1p-23, 0);

    /** {@code average + weight (value - average)}: three roundings, of u each; 2 u of {@code |average| + weight |value - average|}. */
    static final Tolerance AVERAGED = new Tolerance(0x1p-22, 1e-30);

    /** {@code (x / 255 - mean) / std}: three roundings and that of 1 / std; 8 u of {@code (x / 255 + |mean|) / std}. */
    static final Tolerance NORMALIZED = new Tolerance(5e-7, 1e-8);

    /**
     * What a result in BF16 may err by beyond its float32 tolerance: one unit in the last place, 2^-7 of the power of two
     * below it. Arithmetic is float32 and the result is rounded once, which is half a unit; where the right result lies
     * near the middle of two bfloat16, float32's own error decides between them.
     */
    static double bfloat16Rounding(double expected) {
        return Math.ulp((float) expected) * 0x1p16;
    }

    /**
     * A native gradient along a direction against the reference's difference quotient with a step of 1e-5: the
     * gradient's own tolerance, while truncation (h^2) and cancellation (2^-53 / h) of the quotient stay below 1e-8.
     */
    static final Tolerance DIFFERENCE_QUOTIENT = new Tolerance(5e-6, 1e-6);
}
