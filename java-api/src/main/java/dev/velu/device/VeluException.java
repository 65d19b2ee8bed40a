package dev.velu.device;

/** A native call failed; the message names the value and the remedy. */
public final class VeluException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Status status;

    public VeluException(Status status, String message) {
        super(message);
        this.status = status;
    }

    public Status status() {
        return status;
    }
}
