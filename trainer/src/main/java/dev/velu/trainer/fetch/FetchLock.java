package dev.velu.trainer.fetch;

import dev.velu.trainer.data.QuotedName;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Keeps two fetches out of one folder, in this process or another. The file stays: removing it would let a third in. */
final class FetchLock implements AutoCloseable {

    private final FileChannel channel;

    private FetchLock(FileChannel channel) {
        this.channel = channel;
    }

    /** @throws FetchException if another fetch is at work there */
    static FetchLock of(Path folder) throws IOException {
        FileChannel channel =
                FileChannel.open(folder.resolve(".fetch-lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // The other one is in this process: the same answer as for another process.
        } finally {
            if (lock == null) {
                channel.close();
            }
        }
        if (lock == null) {
            throw new FetchException(
                    "another fetch is at work in " + QuotedName.of(folder) + "; wait for it to end, or stop it");
        }
        return new FetchLock(channel);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
