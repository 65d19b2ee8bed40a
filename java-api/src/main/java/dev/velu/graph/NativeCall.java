package dev.velu.graph;

/** One bound native call: everything it needs is captured, running it allocates nothing. */
@FunctionalInterface
public interface NativeCall {
    /** Runs the call and returns its {@code velu_status}. */
    int run();

    /**
     * Runs a call as its caller should see it: the generated bindings wrap what the linker throws, e.g. for memory that is
     * closed, in an {@link AssertionError}.
     *
     * @return its {@code velu_status}
     * @throws IllegalStateException if memory or the context of the call is closed
     */
    static int run(NativeCall call) {
        try {
            return call.run();
        } catch (AssertionError e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        }
    }
}
