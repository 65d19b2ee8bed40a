package dev.velu.safetensors;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A file of tensors cannot be used; the message is one line that names the file, the tensor and the values. */
public class TensorFileException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST_QUOTE = 120;

    /** A file that cannot be used, and why. */
    public TensorFileException(Path file, String problem) {
        super(file + ": " + problem);
    }

    /** A file that cannot be used, why, and what failed beneath. */
    public TensorFileException(Path file, String problem, Throwable cause) {
        super(file + ": " + problem, cause);
    }

    /** Text from a file as it may stand in a message: one line, of bounded length, without control characters. */
    public static String quote(String text) {
        StringBuilder quoted = new StringBuilder("'");
        text.codePoints().limit(LONGEST_QUOTE).forEach(c -> {
            if (Character.isISOControl(c) || Character.getType(c) == Character.SURROGATE) {
                quoted.append(String.format("\\u%04x", c));
            } else {
                quoted.appendCodePoint(c);
            }
        });
        return quoted.append(text.codePointCount(0, text.length()) > LONGEST_QUOTE ? "...'" : "'")
                .toString();
    }

    /** Why the operating system refused, in words. */
    public static String reason(IOException e) {
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof NoSuchFileException) {
            return "no such file or folder";
        }
        if (e instanceof FileSystemException system && system.getReason() != null) {
            return system.getReason();
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
