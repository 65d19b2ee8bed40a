package dev.velu.safetensors;

import java.nio.file.Path;

/**
 * A safetensors file cannot be read or written; the message is one line that names the file, the tensor and the
 * values.
 */
public final class SafeTensorsException extends TensorFileException {
    private static final long serialVersionUID = 1L;

    /** A file that cannot be used, and why. */
    public SafeTensorsException(Path file, String problem) {
        super(file, problem);
    }

    /** A file that cannot be used, why, and what failed beneath. */
    public SafeTensorsException(Path file, String problem, Throwable cause) {
        super(file, problem, cause);
    }
}
