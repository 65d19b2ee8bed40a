package dev.velu.trainer.compare;

import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;

/** One process at a time in a folder. The operating system lets go of the lock however the process ends. */
public final class OutputLock implements AutoCloseable {
    static final String NAME = ".lock";

    private static final long POLL_MILLIS = 200;

    private final FileChannel channel;

    private OutputLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Takes the lock.
     *
     * @throws RunException if another process has it
     */
    static OutputLock take(Path folder) throws IOException {
        OutputLock lock = tryTake(folder);
        if (lock == null) {
            throw new RunException("another velu compare is at work in " + folder
                    + "; wait for it, stop it, or compare in another --output");
        }
        return lock;
    }

    /**
     * Waits for the lock: a process that lost its parent saves before it ends.
     *
     * @throws RunException if it is not free within the time
     */
    public static OutputLock await(Path folder, long seconds) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        for (OutputLock lock = tryTake(folder); ; lock = tryTake(folder)) {
            if (lock != null) {
                return lock;
            }
            if (System.nanoTime() > deadline) {
                throw new RunException("another process has been training in " + folder + " for " + seconds
                        + " s longer; stop it and try again");
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private static OutputLock tryTake(Path folder) throws IOException {
        FileChannel channel =
                FileChannel.open(folder.resolve(NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // This very process has it.
        } finally {
            if (lock == null) {
                channel.close();
            }
        }
        return lock == null ? null : new OutputLock(channel);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
