package dev.velu.trainer.fetch;

import java.io.IOException;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The content of an answer, waited for no longer than a limit: an HTTP client by itself waits for ever. */
final class Body implements Flow.Subscriber<List<ByteBuffer>>, AutoCloseable {

    /** What the client's thread hands over: bytes, or how it ended. */
    private record Signal(List<ByteBuffer> bytes, Throwable failure) {
        static final Signal END = new Signal(null, null);
    }

    private final Duration limit;
    private final BlockingQueue<Signal> signals = new LinkedBlockingQueue<>();
    private final Queue<ByteBuffer> ready = new ArrayDeque<>();
    private volatile Flow.Subscription subscription;
    private volatile boolean closed;

    Body(Duration limit) {
        this.limit = limit;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
        subscription = given;
        if (closed) {
            given.cancel();
        } else {
            given.request(1);
        }
    }

    @Override
    public void onNext(List<ByteBuffer> bytes) {
        signals.add(new Signal(bytes, null));
    }

    @Override
    public void onError(Throwable failure) {
        signals.add(new Signal(null, failure));
    }

    @Override
    public void onComplete() {
        signals.add(Signal.END);
    }

    /**
     * The next bytes.
     *
     * @return null at the end
     * @throws IOException if the connection broke off, or nothing came within the limit
     */
    ByteBuffer next() throws IOException, InterruptedException {
        while (ready.isEmpty()) {
            Signal signal = signals.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
            if (signal == null) {
                throw new HttpTimeoutException("nothing came for " + Download.seconds(limit));
            }
            if (signal.failure() != null) {
                throw new IOException("the connection broke off", signal.failure());
            }
            if (signal.bytes() == null) {
                return null;
            }
            ready.addAll(signal.bytes());
            subscription.request(1);
        }
        return ready.remove();
    }

    @Override
    public void close() {
        closed = true;
        if (subscription != null) {
            subscription.cancel();
        }
    }
}
