package dev.velu.device;

/** A native call failed; the message names the value and the remedy. */
public final class VeluException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What the native call returned. */
    private final Status status;

    /** A failure with the message of the native library. */
    public VeluException(Status status, String message) {
        super(message);
        this.status = status;
    }

    /** A failure that has a cause in Java. */
    public VeluException(Status status, String message, Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    /** What the native call returned. */
    public Status status() {
        return status;
    }

    /** This failure with what it happened in, or to, in front of its message. */
    public VeluException within(String what) {
        return new VeluException(status, what + ": " + getMessage(), this);
    }

    /** If memory was exhausted, this failure with what needs how much in front; else this one. */
    public VeluException ifOutOfMemory(String need) {
        return status == Status.OUT_OF_MEMORY ? within(need) : this;
    }
}
