package dev.velu.trainer.compare;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How far a cell has come. */
public enum CellStatus {
    /** All epochs are done. */
    OK,
    /** It ended with an error; the next run of the comparison tries again. */
    FAILED,
    /** It was asked to stop and saved; the next run of the comparison goes on there. */
    INTERRUPTED;

    /** As in {@code results.jsonl}. */
    @JsonValue
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
