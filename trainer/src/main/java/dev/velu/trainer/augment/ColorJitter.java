package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;

/**
 * Changes brightness, contrast and saturation by random factors, in random order: torchvision's {@code ColorJitter} without hue.
 */
final class ColorJitter implements Transform {
    private final float strength;
    private final int[] order = new int[3];

    /** @param strength factors are in [1 - strength, 1 + strength]; in (0, 1] */
    ColorJitter(float strength) {
        this.strength = strength;
    }

    @Override
    public boolean apply(byte[] in, byte[] out, int size, SplitMix random) {
        random.permutation(order);
        byte[] from = in;
        for (int change : order) {
            double factor = random.nextDouble(1 - strength, 1 + strength);
            switch (change) {
                case 0 -> Enhance.brightness(from, out, size, factor);
                case 1 -> Enhance.contrast(from, out, size, factor);
                default -> Enhance.saturation(from, out, size, factor);
            }
            from = out;
        }
        return true;
    }
}
