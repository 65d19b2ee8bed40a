package dev.velu.op;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_velu_params;
import java.lang.foreign.MemorySegment;

/**
 * Constants of VeLU (Shakarami et al., arXiv 2504.15051): {@code y = lambda x sigmoid(alpha (atan(beta1 x) + asin(clip(beta2 x))))
 * (1 + gamma tanh(mu s))}, where s is the statistic of the element's row of channels.
 *
 * @param eps floor of the variance, positive
 * @param scale range the adaptive scale is clamped to, or null for none
 */
public record VeluParameters(
        float alpha, float beta1, float beta2, float gamma, float mu, float eps, Statistic statistic, Clamp scale)
        implements ActivationFunction {
    /** The row statistic s; the order is that of {@code VELU_STATISTIC_*} in {@code velu.h}. */
    public enum Statistic {
        /** {@code 1 / sqrt(mean(x^2) + eps)}: the released layer. */
        INVERSE_RMS,
        /** {@code sqrt(mean((x - mean(x))^2) + eps)}: the paper's text. */
        STD
    }

    /** A closed range with {@code min <= max}. */
    public record Clamp(float min, float max) {
        /**
         * Checks the limits.
         *
         * @throws IllegalArgumentException if they are not finite or min is above max
         */
        public Clamp {
            if (!(Float.isFinite(min) && Float.isFinite(max) && min <= max)) {
                throw new IllegalArgumentException(
                        "VeLU scale clamp [" + min + ", " + max + "] is not a finite range with min <= max");
            }
        }
    }

    /**
     * Checks the constants.
     *
     * @throws IllegalArgumentException if one is not finite or outside its range; names it
     */
    public VeluParameters {
        finite("alpha", alpha);
        finite("beta1", beta1);
        finite("beta2", beta2);
        finite("gamma", gamma);
        finite("mu", mu);
        finite("eps", eps);
        if (Math.abs(gamma) >= 1) {
            throw new IllegalArgumentException("VeLU gamma " + gamma + " is not in (-1, 1)");
        }
        if (eps <= 0) {
            throw new IllegalArgumentException("VeLU eps " + eps + " is not positive");
        }
    }

    /** The authors' released layer. */
    public static VeluParameters released() {
        return new VeluParameters(0.1f, 0.1f, 0.1f, 0.1f, 0.9f, 1e-6f, Statistic.INVERSE_RMS, null);
    }

    /** The constants behind the authors' published curve. */
    public static VeluParameters curve() {
        return new VeluParameters(2.0f, 1.0f, 0.7f, 0.1f, 0.9f, 1e-6f, Statistic.INVERSE_RMS, null);
    }

    @Override
    public String label() {
        return "velu";
    }

    @Override
    public int code() {
        return VeluNative.VELU_ACTIVATION_VELU();
    }

    /** Fills a {@code velu_velu_params}. */
    void write(MemorySegment params) {
        velu_velu_params.alpha(params, alpha);
        velu_velu_params.beta1(params, beta1);
        velu_velu_params.beta2(params, beta2);
        velu_velu_params.gamma(params, gamma);
        velu_velu_params.mu(params, mu);
        velu_velu_params.eps(params, eps);
        velu_velu_params.statistic(params, statistic.ordinal());
        velu_velu_params.clamp(params, scale == null ? 0 : 1);
        velu_velu_params.scale_min(params, scale == null ? 0 : scale.min());
        velu_velu_params.scale_max(params, scale == null ? 0 : scale.max());
    }

    private static void finite(String name, float value) {
        if (!Float.isFinite(value)) {
            throw new IllegalArgumentException("VeLU " + name + " " + value + " is not finite");
        }
    }
}
