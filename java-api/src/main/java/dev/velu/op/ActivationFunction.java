package dev.velu.op;

/** An activation function with its constants: one of the {@link Pointwise} ones, or VeLU. */
public sealed interface ActivationFunction permits Pointwise, VeluParameters {
    /**
     * Name on the command line and in files: {@code velu}, {@code relu}, {@code relu6}, {@code silu} or {@code gelu}; and
     * {@code sigmoid}, which no network has for its layers.
     */
    String label();

    /** Value of a descriptor's {@code activation} field. */
    int code();
}
