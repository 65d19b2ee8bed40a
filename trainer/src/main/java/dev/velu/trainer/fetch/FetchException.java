package dev.velu.trainer.fetch;

/** A data set cannot be fetched. The message is one line that names the file, the reason and the remedy. */
public final class FetchException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    FetchException(String message) {
        super(message);
    }

    FetchException(String message, Throwable cause) {
        super(message, cause);
    }
}
