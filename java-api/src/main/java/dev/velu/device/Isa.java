package dev.velu.device;

/** Vector instruction set of the CPU backend's own kernels; the order is that of {@code VELU_ISA_*} in {@code velu.h}. */
public enum Isa {
    /** The best this processor has. */
    AUTO,
    BASELINE,
    AVX2,
    AVX512
}
