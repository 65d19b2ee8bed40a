package dev.velu.trainer.augment;

/**
 * How the images of a batch are mixed with each other.
 *
 * @param mixup both parameters of the beta distribution of an image's own share in a blend of two (Zhang et al., 2018); 0 for none
 * @param cutmix both parameters of the beta distribution of an image's own share of the area, the rest being a rectangle of another
 *     image (Yun et al., 2019); 0 for none. With both, half of the batches get the one, half the other
 */
public record Mixing(float mixup, float cutmix) {
    /** Larger parameters give halves only. */
    public static final float MAX = 1000;

    /**
     * Checks the parameters.
     *
     * @throws IllegalArgumentException if a parameter is outside [0, 1000]
     */
    public Mixing {
        inRange("mixup", mixup);
        inRange("cutmix", cutmix);
    }

    /** Every image keeps to itself. */
    public static Mixing none() {
        return new Mixing(0, 0);
    }

    /** Whether every image keeps to itself. */
    public boolean isNone() {
        return mixup == 0 && cutmix == 0;
    }

    private static void inRange(String name, float value) {
        if (!(value >= 0 && value <= MAX)) {
            throw new IllegalArgumentException(name + " " + value + " is outside [0, 1000]");
        }
    }
}
