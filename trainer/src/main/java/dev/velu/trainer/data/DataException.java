package dev.velu.trainer.data;

/**
 * A data set cannot be used. The message is one line that names the path, the value that is wrong and the remedy, fit
 * to be shown to a user as it is.
 */
public final class DataException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    DataException(String message) {
        super(message);
    }

    DataException(String message, Throwable cause) {
        super(message, cause);
    }
}
