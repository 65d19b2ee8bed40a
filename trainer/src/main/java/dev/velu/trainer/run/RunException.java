package dev.velu.trainer.run;

/** A run cannot start or go on; the message is one line that names the value and the remedy. */
public final class RunException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A problem of a run, in one sentence. */
    public RunException(String message) {
        super(message);
    }

    /** A problem of a run, and what failed beneath. */
    public RunException(String message, Throwable cause) {
        super(message, cause);
    }
}
