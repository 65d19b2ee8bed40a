package dev.velu.trainer.data;

import java.io.IOException;

/** One image cannot be read or decoded. The message is one line with the image, the reason and the remedy. */
public final class CorruptImageException extends IOException {

    private static final long serialVersionUID = 1L;

    /** The file, or its place in an archive. */
    private final String file;
    /** Why it cannot be decoded. */
    private final String reason;

    CorruptImageException(String file, String reason, Throwable cause) {
        super(
                "cannot decode " + QuotedName.of(file) + ": " + QuotedName.printable(reason)
                        + "; replace or remove it, or let corrupt images be skipped",
                cause);
        this.file = file;
        this.reason = reason;
    }

    CorruptImageException(String file, String reason) {
        this(file, reason, null);
    }

    /** The image, as {@link Dataset#describe} names it. */
    public String file() {
        return file;
    }

    /** What is wrong with it. */
    public String reason() {
        return reason;
    }
}
