package dev.velu.device;

/**
 * The two queues of a context: the work of one runs in order, the two run beside each other. All operations go to
 * {@link #COMPUTE}. The order is that of {@code VELU_STREAM_*} in {@code velu.h}.
 */
public enum Stream {
    /** The queue of the operations. */
    COMPUTE,
    /** For copies that run while operations do. */
    TRANSFER
}
