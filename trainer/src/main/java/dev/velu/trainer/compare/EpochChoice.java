package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.velu.trainer.run.EpochMetrics;
import java.util.Locale;

/** Which epoch of a cell counts. */
public enum EpochChoice {
    /**
     * The one with the highest evaluation top-1. It is chosen on the images that it is then judged by, so its numbers are too good, and
     * the more so the more epochs there are.
     */
    BEST,
    /** The last one, which is chosen before anything is seen. */
    LAST;

    /** Its name on the command line. */
    @JsonValue
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The choice of this name.
     *
     * @throws IllegalArgumentException for another word
     */
    public static EpochChoice named(String label) {
        return switch (label) {
            case "best" -> BEST;
            case "last" -> LAST;
            default -> throw new IllegalArgumentException("unknown epoch '" + label + "'; use best or last");
        };
    }

    /** Its metrics; null before the first epoch. */
    public EpochMetrics of(CellResult result) {
        return this == BEST ? result.best() : result.last();
    }
}
