package dev.velu.pytorch;

import dev.velu.safetensors.TensorFileException;
import java.nio.file.Path;

/** A file of {@code torch.save} cannot be read or is refused; the message is one line that names the file and the reason. */
public final class PyTorchException extends TensorFileException {
    private static final long serialVersionUID = 1L;

    /** A file that cannot be used, and why. */
    public PyTorchException(Path file, String problem) {
        super(file, problem);
    }

    /** A file that cannot be used, why, and what failed beneath. */
    public PyTorchException(Path file, String problem, Throwable cause) {
        super(file, problem, cause);
    }
}
