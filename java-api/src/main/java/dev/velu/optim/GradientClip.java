package dev.velu.optim;

/**
 * Limits on gradients, applied before the update: first the norm, then the values.
 *
 * @param value each gradient is clamped to [-value, value]; 0 for no limit
 * @param maxNorm gradients are scaled by {@code min(1, maxNorm / (norm + 1e-6))}, norm being that of all gradients
 *     together (torch's {@code clip_grad_norm_}); 0 for no limit
 */
public record GradientClip(float value, float maxNorm) {
    /** No limit. */
    public static final GradientClip NONE = new GradientClip(0, 0);

    /**
     * Checks the limits.
     *
     * @throws IllegalArgumentException if a limit is negative or not finite
     */
    public GradientClip {
        limit("gradient clip value", value);
        limit("gradient clip norm", maxNorm);
    }

    private static void limit(String name, float limit) {
        if (!(limit >= 0 && Float.isFinite(limit))) {
            throw new IllegalArgumentException(
                    name + " " + limit + " is not a finite number of zero or more; 0 is no limit");
        }
    }
}
