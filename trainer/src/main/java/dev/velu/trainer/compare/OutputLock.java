package dev.velu.trainer.compare;

import dev.velu.trainer.run.FolderLock;
import dev.velu.trainer.run.RunException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** One comparison at a time in a folder, and one process at a time in the folder of a cell. */
public final class OutputLock {
    static final String NAME = ".lock";

    private static final long POLL_MILLIS = 200;

    private OutputLock() {}

    /**
     * Takes the lock of a comparison.
     *
     * @throws RunException if another process has it
     */
    static FolderLock take(Path folder) throws IOException {
        return FolderLock.tryTake(folder.resolve(NAME))
                .orElseThrow(() -> new RunException("another velu compare is at work in " + folder
                        + "; wait for it, stop it, or compare in another --output"));
    }

    /**
     * Waits for the lock of a cell: a process that lost its parent saves before it ends.
     *
     * @throws RunException if it is not free within the time
     */
    public static FolderLock await(Path folder, long seconds) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        Optional<FolderLock> lock = FolderLock.tryTake(folder.resolve(NAME));
        while (lock.isEmpty()) {
            if (System.nanoTime() > deadline) {
                throw new RunException("another process has been training in " + folder + " for " + seconds
                        + " s longer; stop it and try again");
            }
            Thread.sleep(POLL_MILLIS);
            lock = FolderLock.tryTake(folder.resolve(NAME));
        }
        return lock.get();
    }
}
