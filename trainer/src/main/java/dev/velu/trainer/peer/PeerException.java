package dev.velu.trainer.peer;

/** A peer cannot be started or cannot do the work; the message says why and what to do. */
public final class PeerException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** A peer that cannot be used, and why. */
    public PeerException(String message) {
        super(message);
    }

    /** A peer that cannot be used, and what failed beneath. */
    public PeerException(String message, Throwable cause) {
        super(message, cause);
    }
}
