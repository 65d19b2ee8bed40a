package dev.velu.trainer.run;

import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.models.NetworkSpec;
import dev.velu.trainer.data.DecodedImage;
import dev.velu.trainer.run.TrainedNetwork.Prediction;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A trained network that several threads may ask at once, e.g. those of a web server, virtual threads included.
 *
 * <p>It holds copies of the network, each with weights and a context of its own; a thread that asks borrows one, and waits
 * while all are in use. With as many copies as processors, one thread of computation each, throughput is highest; one copy that
 * computes with all processors answers a single question soonest.
 */
public final class NetworkPool implements AutoCloseable {
    private final List<TrainedNetwork> all = new ArrayList<>();
    private final Deque<TrainedNetwork> free = new ArrayDeque<>();
    private final Lock lock = new ReentrantLock();
    /** One copy more is free, or the pool is closing. */
    private final Condition changed = lock.newCondition();

    private boolean closed;

    /**
     * Loads a checkpoint, to compute in float32.
     *
     * @param copies how many questions can be answered at once, positive
     * @param threads threads of computation of each copy; 0 for all processors
     * @throws IllegalArgumentException if the number of copies is not positive, or that of threads out of range
     * @throws IOException if the file is missing, damaged or does not fit the network
     */
    public NetworkPool(Path checkpoint, Device device, int copies, int threads) throws IOException {
        if (copies < 1) {
            throw new IllegalArgumentException("number of copies " + copies + " is not positive");
        }
        boolean opened = false;
        try {
            for (int i = 0; i < copies; i++) {
                all.add(new TrainedNetwork(
                        checkpoint,
                        device,
                        new ContextOptions(threads, Isa.AUTO, false),
                        NetworkSpec.Precision.FP32,
                        1));
            }
            opened = true;
        } finally {
            if (!opened) {
                all.forEach(TrainedNetwork::close);
            }
        }
        free.addAll(all);
    }

    /** Names of the classes, by class number. */
    public List<String> classNames() {
        return all.getFirst().classNames();
    }

    /**
     * Classifies an image of any size, from any thread.
     *
     * @param top how many classes, the most probable first
     * @throws InterruptedException if the thread is interrupted before it gets a copy
     * @throws IllegalStateException if the pool is closed
     */
    public List<Prediction> predict(DecodedImage image, int top) throws InterruptedException {
        TrainedNetwork network = borrow();
        try {
            return network.predict(image, top);
        } finally {
            giveBack(network);
        }
    }

    private TrainedNetwork borrow() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (free.isEmpty() && !closed) {
                changed.await();
            }
            if (closed) {
                throw new IllegalStateException("the pool is closed; ask before closing it");
            }
            return free.removeFirst();
        } finally {
            lock.unlock();
        }
    }

    private void giveBack(TrainedNetwork network) {
        lock.lock();
        try {
            free.addLast(network);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Lets the questions under way be answered, then releases all memory. Closing twice is allowed. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            changed.signalAll();
            while (free.size() < all.size()) {
                changed.awaitUninterruptibly();
            }
            all.forEach(TrainedNetwork::close);
        } finally {
            lock.unlock();
        }
    }
}
