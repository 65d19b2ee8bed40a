package dev.velu.device;

import java.util.Objects;

/**
 * How a context computes.
 *
 * @param threads CPU threads per operation, 0 to {@link Context#MAX_THREADS}; 0 for all that this process may use
 * @param isa instruction set of the CPU backend's own kernels
 * @param allowTf32 CUDA: float32 convolutions and linear layers may round their operands to TF32 (10 bits of mantissa) for
 *     the tensor cores; has no effect on the CPU
 */
public record ContextOptions(int threads, Isa isa, boolean allowTf32) {
    /**
     * Checks the number of threads.
     *
     * @throws IllegalArgumentException if threads is negative or above {@link Context#MAX_THREADS}
     */
    public ContextOptions {
        Objects.requireNonNull(isa, "isa");
        if (threads < 0 || threads > Context.MAX_THREADS) {
            throw new IllegalArgumentException(
                    "threads " + threads + " is outside 0.." + Context.MAX_THREADS + "; 0 uses all processors");
        }
    }

    /** All processors, the best instruction set, float32 kept as it is. */
    public static ContextOptions defaults() {
        return new ContextOptions(0, Isa.AUTO, false);
    }

    /** The same with another number of threads; 0 for all processors. */
    public ContextOptions withThreads(int count) {
        return new ContextOptions(count, isa, allowTf32);
    }

    /** The same with another instruction set. */
    public ContextOptions withIsa(Isa set) {
        return new ContextOptions(threads, set, allowTf32);
    }

    /** The same with or without TF32 on CUDA devices. */
    public ContextOptions withTf32(boolean allow) {
        return new ContextOptions(threads, isa, allow);
    }
}
