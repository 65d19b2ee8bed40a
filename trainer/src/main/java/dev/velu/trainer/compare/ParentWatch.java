package dev.velu.trainer.compare;

import java.io.IOException;
import java.io.InputStream;

/**
 * Ends this process in good order when the one that started it is gone, however that ended: the pipe on the standard input breaks with it.
 */
public final class ParentWatch {
    /** What a process that was asked to end by SIGTERM ends with. */
    private static final int STATUS = 143;

    private ParentWatch() {}

    /** Watches until the end of this process. */
    public static void start() {
        start(System.in, () -> System.exit(STATUS));
    }

    /** @param gone called when the stream ends */
    static void start(InputStream pipe, Runnable gone) {
        Thread.ofPlatform().daemon().name("velu-parent-watch").start(() -> {
            awaitEnd(pipe);
            gone.run();
        });
    }

    private static void awaitEnd(InputStream pipe) {
        try {
            while (pipe.read() >= 0) {
                // Nothing is said on it.
            }
        } catch (IOException e) {
            // Broken is as good as ended.
        }
    }
}
