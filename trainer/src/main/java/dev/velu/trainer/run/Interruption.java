package dev.velu.trainer.run;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets Ctrl-C (SIGINT) and SIGTERM end a run in good order: while it is open, the JVM's shutdown waits until the training loop
 * has seen the request, saved and closed this.
 */
public final class Interruption implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 120;

    private final CountDownLatch saved = new CountDownLatch(1);
    private final Thread hook = new Thread(this::awaitSaved, "velu-shutdown");
    private final Runnable onRequest;
    private volatile boolean requested;

    Interruption() {
        this(() -> {});
    }

    /** @param onRequest called by another thread when the process is asked to end */
    @SuppressWarnings("this-escape")
    public Interruption(Runnable onRequest) {
        this.onRequest = onRequest;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Whether the process was asked to end. */
    public boolean requested() {
        return requested;
    }

    private void awaitSaved() {
        requested = true;
        onRequest.run();
        try {
            if (!saved.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                System.err.println(
                        "velu: the step did not end within " + PATIENCE_SECONDS + " s; nothing more is saved");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        saved.countDown();
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // The shutdown has just begun; the hook finds the latch open.
                requested = true;
            }
        }
    }
}
