package dev.velu.trainer.data;

/**
 * A data set cannot be used. The message is one line that names the path, the value that is wrong and the remedy, fit
 * to be shown to a user as it is.
 */
public final class DataException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** A problem with the data, in one sentence that names file, value and remedy. */
    public DataException(String message) {
        super(message);
    }

    /** A problem with the data, and what failed beneath. */
    public DataException(String message, Throwable cause) {
        super(message, cause);
    }
}
