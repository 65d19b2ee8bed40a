package dev.velu.selftest;

import java.io.IOException;

/** A file of reference vectors cannot be read; the message is one line that names the file, the case and the field. */
public final class VectorFileException extends IOException {
    private static final long serialVersionUID = 1L;

    VectorFileException(String message) {
        super(message);
    }

    VectorFileException(String message, Throwable cause) {
        super(message, cause);
    }
}
