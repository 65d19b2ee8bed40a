package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;
import java.util.List;

/**
 * One of the operations of RandAugment (Cubuk et al., 2019), by chance; RandAugment is several of these in a row. Operations and
 * their range of amounts are torchvision's {@code RandAugment} with 31 magnitudes.
 */
final class RandomOperation implements Transform {
    private final List<Choice> choices;
    private final int magnitude;

    /**
     * An operation with the amounts of magnitude 0 and of the largest; between them lies a straight line.
     *
     * @param signed whether half of the images, by chance, get the opposite amount
     * @param around what the amount is added to: 1 for factors
     */
    private record Choice(PixelOperation operation, double least, double most, boolean signed, double around) {
        double amount(int magnitude) {
            return least + (most - least) * magnitude / Augmentation.MAX_MAGNITUDE;
        }
    }

    /** @param magnitude 0 to 30 */
    RandomOperation(int magnitude) {
        this.magnitude = magnitude;
        Tones tones = new Tones();
        // A change that has no amount has one here that means nothing.
        choices = List.of(
                new Choice(Affine.identity(), 0, 0, false, 0),
                new Choice(Affine.shearX(), 0, 0.3, true, 0),
                new Choice(Affine.shearY(), 0, 0.3, true, 0),
                new Choice(Affine.translateX(), 0, 150.0 / 331, true, 0),
                new Choice(Affine.translateY(), 0, 150.0 / 331, true, 0),
                new Choice(Affine.rotate(), 0, 30, true, 0),
                new Choice(Enhance::brightness, 0, 0.9, true, 1),
                new Choice(Enhance::saturation, 0, 0.9, true, 1),
                new Choice(Enhance::contrast, 0, 0.9, true, 1),
                new Choice(Enhance::sharpness, 0, 0.9, true, 1),
                new Choice(
                        (in, out, size, amount) -> tones.posterize(in, out, size, Math.rint(amount)), 8, 4, false, 0),
                new Choice(tones::solarize, 255, 0, false, 0),
                new Choice(tones::autoContrast, 0, 0, false, 0),
                new Choice(tones::equalize, 0, 0, false, 0));
    }

    @Override
    public boolean apply(byte[] in, byte[] out, int size, SplitMix random) {
        Choice choice = choices.get(random.nextInt(choices.size()));
        double amount = choice.amount(magnitude);
        if (choice.signed() && random.nextBoolean()) {
            amount = -amount;
        }
        if (choice.operation() == Affine.identity()) {
            return false;
        }
        choice.operation().apply(in, out, size, choice.around() + amount);
        return true;
    }
}
