package dev.velu.graph;

/** One bound native call: everything it needs is captured, running it allocates nothing. */
@FunctionalInterface
public interface NativeCall {
    /** Runs the call and returns its {@code velu_status}. */
    int run();
}
