package dev.velu.trainer.data;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files that are read where they lie, without a copy on the heap. */
final class MappedFile {

    private MappedFile() {}

    /**
     * The content of {@code file}, until {@code arena} is closed.
     *
     * @throws DataException if it cannot be read
     */
    static MemorySegment open(Path file, Arena arena) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new DataException("cannot read " + QuotedName.of(file) + ": " + FolderStore.reason(e), e);
        }
    }
}
