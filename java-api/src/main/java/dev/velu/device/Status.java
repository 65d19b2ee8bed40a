package dev.velu.device;

/** Outcome of a native call; the order is that of {@code VELU_STATUS_*} in {@code velu.h}. */
public enum Status {
    /** Done. */
    SUCCESS,
    /** An argument is outside its range; nothing was done. */
    INVALID_ARGUMENT,
    /** The arguments are right, but this device has no kernel for them. */
    UNSUPPORTED,
    /** Host or device memory is exhausted. */
    OUT_OF_MEMORY,
    /** Something still uses what should be released. */
    BUSY,
    /** The backend is missing or has no such device. */
    BACKEND_UNAVAILABLE,
    /** A fault of the library, or of a library beneath it. */
    INTERNAL;

    static Status of(int code) {
        return code >= 0 && code < values().length ? values()[code] : INTERNAL;
    }
}
