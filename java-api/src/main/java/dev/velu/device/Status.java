package dev.velu.device;

/** Outcome of a native call; the order is that of {@code VELU_STATUS_*} in {@code velu.h}. */
public enum Status {
    SUCCESS,
    INVALID_ARGUMENT,
    UNSUPPORTED,
    OUT_OF_MEMORY,
    BUSY,
    BACKEND_UNAVAILABLE,
    INTERNAL;

    static Status of(int code) {
        return code >= 0 && code < values().length ? values()[code] : INTERNAL;
    }
}
