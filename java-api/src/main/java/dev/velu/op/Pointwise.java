package dev.velu.op;

import java.util.Locale;

/** Activation functions of one element; the codes are those of {@code VELU_ACTIVATION_*} in {@code velu.h}. */
public enum Pointwise implements ActivationFunction {
    /** {@code max(x, 0)}. */
    RELU(1),
    /** {@code min(max(x, 0), 6)}. */
    RELU6(2),
    /** {@code x sigmoid(x)}: Swish with beta 1. */
    SILU(3),
    /** {@code x Phi(x)}, exact. */
    GELU(4);

    private final int code;

    Pointwise(int code) {
        this.code = code;
    }

    @Override
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public int code() {
        return code;
    }
}
