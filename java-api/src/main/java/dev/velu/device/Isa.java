package dev.velu.device;

/** Vector instruction set of the CPU backend's own kernels; the order is that of {@code VELU_ISA_*} in {@code velu.h}. */
public enum Isa {
    /** The best this processor has. */
    AUTO,
    /** What every x86-64 processor has. */
    BASELINE,
    /** AVX2 with FMA. */
    AVX2,
    /** AVX-512 with what came with it in the first server processors. */
    AVX512
}
