package dev.velu.peers.vector;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed number of threads that do one piece of work together: the caller and daemons that wait for the next piece, spinning for
 * some microseconds before they sleep, as OpenMP's threads do.
 */
public final class Team implements AutoCloseable {
    private static final int SPINS = 2000;

    private final Thread[] others;
    private final AtomicInteger unfinished = new AtomicInteger();
    private IntConsumer work;
    private volatile int round;
    private volatile boolean closed;
    private volatile Throwable failure;

    /** @param threads the caller's included, at least 1 */
    public Team(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads; at least 1 does the work");
        }
        others = new Thread[threads - 1];
        for (int i = 0; i < others.length; i++) {
            int member = i + 1;
            others[i] = Thread.ofPlatform().daemon().name("team-" + member).start(() -> serve(member));
        }
    }

    public int size() {
        return others.length + 1;
    }

    /** Runs {@code work} once with every number from 0 to {@code size() - 1}, at the same time, and waits for all. */
    public void run(IntConsumer work) {
        if (closed) {
            throw new IllegalStateException("the team is closed");
        }
        this.work = work;
        unfinished.set(others.length);
        round++; // publishes the work
        for (Thread other : others) {
            LockSupport.unpark(other);
        }
        try {
            work.accept(0);
        } finally {
            while (unfinished.get() > 0) {
                Thread.onSpinWait();
            }
        }
        if (failure != null) {
            Throwable cause = failure;
            failure = null;
            throw new IllegalStateException("a thread of the team failed: " + cause, cause);
        }
    }

    private void serve(int member) {
        int done = 0;
        while (true) {
            for (int spin = 0; round == done && !closed; spin++) {
                if (spin < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
            if (closed) {
                return;
            }
            done++;
            try {
                work.accept(member);
            } catch (Throwable e) {
                failure = e;
            } finally {
                unfinished.decrementAndGet();
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread other : others) {
            LockSupport.unpark(other);
        }
    }
}
