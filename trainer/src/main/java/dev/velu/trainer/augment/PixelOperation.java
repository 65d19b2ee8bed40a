package dev.velu.trainer.augment;

/** A change of a square image by a given amount. May keep scratch memory: not for use by two threads at once. */
@FunctionalInterface
interface PixelOperation {
    /**
     * Applies it.
     *
     * @param in uint8 {@code [size, size, 3]}
     * @param out as {@code in}, another array; every byte is written
     * @param amount what it means is said where the operation is made
     */
    void apply(byte[] in, byte[] out, int size, double amount);
}
