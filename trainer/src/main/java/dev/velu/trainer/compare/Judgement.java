package dev.velu.trainer.compare;

import java.util.List;

/**
 * How cells are compared.
 *
 * @param baseline the activation that every other is compared with
 */
public record Judgement(Metric metric, EpochChoice epoch, String baseline) {
    private static final String PREFERRED = "velu";

    /** What {@code velu compare} does unless told otherwise: the last epoch's top-1 on the evaluation images. */
    public static Judgement usual(List<String> activations) {
        return new Judgement(
                Metric.EVAL_TOP1,
                EpochChoice.LAST,
                activations.contains(PREFERRED) ? PREFERRED : activations.getFirst());
    }
}
