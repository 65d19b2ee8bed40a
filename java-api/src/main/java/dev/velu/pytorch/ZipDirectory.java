package dev.velu.pytorch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * The entries of a zip file that is mapped into memory. Java's own reader does not tell where an entry's bytes lie, which is
 * what reading them in place needs. Every offset is checked against the file.
 */
final class ZipDirectory {
    private static final int LOCAL_HEADER = 0x04034b50;
    private static final int CENTRAL_HEADER = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_64 = 0x06064b50;
    private static final int END_64_LOCATOR = 0x07064b50;
    private static final int LOCAL_HEADER_BYTES = 30;
    private static final int CENTRAL_HEADER_BYTES = 46;
    private static final int END_BYTES = 22;
    private static final int END_64_BYTES = 56;
    private static final int END_64_LOCATOR_BYTES = 20;
    private static final int LONGEST_COMMENT = 0xffff;
    private static final int ZIP_64_FIELD = 1;
    private static final int ENCRYPTED = 1;
    private static final int STORED = 0;
    private static final int DEFLATED = 8;
    private static final long LARGEST_DIRECTORY = 64L << 20;
    private static final long CHUNK = 1 << 20;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final MemorySegment file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /**
     * One entry.
     *
     * @param method how it is compressed
     * @param compressed bytes in the file
     * @param size bytes when they are unpacked
     * @param header offset of its own header
     */
    record Entry(String name, int method, long compressed, long size, long header) {
        boolean isStored() {
            return method == STORED;
        }
    }

    /** @throws PyTorchException if the file is not a whole zip file */
    ZipDirectory(Path path, MemorySegment file) throws PyTorchException {
        this.path = path;
        this.file = file;
        long end = findEnd();
        long count = unsignedShort(end + 10);
        long bytes = unsignedInt(end + 12);
        long position = unsignedInt(end + 16);
        long locator = end - END_64_LOCATOR_BYTES;
        if (locator >= 0 && file.get(INT, locator) == END_64_LOCATOR) {
            long end64 = range(file.get(LONG, locator + 8), END_64_BYTES);
            require(file.get(INT, end64) == END_64, "its directory is not where it says");
            count = file.get(LONG, end64 + 32);
            bytes = file.get(LONG, end64 + 40);
            position = file.get(LONG, end64 + 48);
        }
        range(position, bytes);
        require(bytes <= LARGEST_DIRECTORY, "its directory has " + bytes + " bytes, above " + LARGEST_DIRECTORY);
        long directoryEnd = position + bytes;
        for (long i = 0; i < count; i++) {
            require(directoryEnd - position >= CENTRAL_HEADER_BYTES, "its directory is cut off");
            position = read(position, directoryEnd);
        }
    }

    /** The record at the end of the file, before a comment. */
    private long findEnd() throws PyTorchException {
        long last = file.byteSize() - END_BYTES;
        for (long at = last; at >= Math.max(0, last - LONGEST_COMMENT); at--) {
            if (file.get(INT, at) == END && at + END_BYTES + unsignedShort(at + 20) <= file.byteSize()) {
                return at;
            }
        }
        throw new PyTorchException(
                path, "is a zip file whose directory is missing; the file is incomplete, get it again");
    }

    /** Reads the directory's entry at a position and returns the position of the next. */
    private long read(long at, long directoryEnd) throws PyTorchException {
        require(file.get(INT, at) == CENTRAL_HEADER, "its directory is damaged at byte " + at);
        int nameBytes = unsignedShort(at + 28);
        int extraBytes = unsignedShort(at + 30);
        int commentBytes = unsignedShort(at + 32);
        long next = at + CENTRAL_HEADER_BYTES + nameBytes + extraBytes + commentBytes;
        require(next <= directoryEnd, "its directory is cut off");
        String name = new String(
                file.asSlice(at + CENTRAL_HEADER_BYTES, nameBytes).toArray(ValueLayout.JAVA_BYTE),
                StandardCharsets.UTF_8);
        String quoted = PyTorchException.quote(name);
        require((unsignedShort(at + 8) & ENCRYPTED) == 0, "its entry " + quoted + " is encrypted");
        int method = unsignedShort(at + 10);
        require(
                method == STORED || method == DEFLATED,
                "its entry " + quoted + " is compressed by method " + method + "; stored and deflated ones are read");
        // In this order in the field of the 64-bit sizes, those that have no room here.
        long size = unsignedInt(at + 24);
        long compressed = unsignedInt(at + 20);
        long header = unsignedInt(at + 42);
        long wide = zip64Field(at + CENTRAL_HEADER_BYTES + nameBytes, extraBytes);
        if (wide >= 0) {
            long wideEnd = wide + unsignedShort(wide - 2);
            if (size == 0xffff_ffffL) {
                size = wideNumber(wide, wideEnd);
                wide += Long.BYTES;
            }
            if (compressed == 0xffff_ffffL) {
                compressed = wideNumber(wide, wideEnd);
                wide += Long.BYTES;
            }
            if (header == 0xffff_ffffL) {
                header = wideNumber(wide, wideEnd);
            }
        }
        require(size >= 0 && compressed >= 0, "its entry " + quoted + " has a negative size");
        require(method != STORED || size == compressed, "its stored entry " + quoted + " has two sizes");
        require(
                entries.put(name, new Entry(name, method, compressed, size, header)) == null,
                "it has two entries " + quoted);
        return next;
    }

    private long wideNumber(long at, long end) throws PyTorchException {
        require(end - at >= Long.BYTES, "its directory lacks a 64-bit size");
        return file.get(LONG, at);
    }

    /** Where the content of the extra field with 64-bit sizes begins, or -1. */
    private long zip64Field(long begin, int length) throws PyTorchException {
        long end = begin + length;
        for (long at = begin; end - at >= 4; at += 4 + unsignedShort(at + 2)) {
            if (unsignedShort(at) == ZIP_64_FIELD) {
                require(4 + unsignedShort(at + 2) <= end - at, "its directory is damaged at byte " + at);
                return at + 4;
            }
        }
        return -1;
    }

    /** The entries by name, in the order of the directory. */
    Map<String, Entry> entries() {
        return entries;
    }

    /** An entry's bytes as they lie in the file. */
    MemorySegment packed(Entry entry) throws PyTorchException {
        long at = range(entry.header(), LOCAL_HEADER_BYTES);
        require(
                file.get(INT, at) == LOCAL_HEADER,
                "its entry " + PyTorchException.quote(entry.name()) + " is not where the directory says");
        long begin = at + LOCAL_HEADER_BYTES + unsignedShort(at + 26) + unsignedShort(at + 28);
        return file.asSlice(range(begin, entry.compressed()), entry.compressed());
    }

    /**
     * Unpacks a deflated entry.
     *
     * @param destination as large as the entry
     */
    void inflate(Entry entry, MemorySegment destination) throws PyTorchException {
        MemorySegment packed = packed(entry);
        String quoted = PyTorchException.quote(entry.name());
        Inflater inflater = new Inflater(true);
        try {
            long read = 0;
            long written = 0;
            while (!inflater.finished()) {
                if (inflater.needsInput()) {
                    long count = Math.min(CHUNK, packed.byteSize() - read);
                    require(count > 0, "its entry " + quoted + " is cut off");
                    inflater.setInput(packed.asSlice(read, count).asByteBuffer());
                    read += count;
                }
                // One byte more than there is room for shows an entry that is larger than it says.
                long room = destination.byteSize() - written;
                byte[] surplus = new byte[1];
                int count = room > 0
                        ? inflater.inflate(destination
                                .asSlice(written, Math.min(CHUNK, room))
                                .asByteBuffer())
                        : inflater.inflate(surplus);
                require(room > 0 || count == 0, "its entry " + quoted + " is larger than it says");
                require(!inflater.needsDictionary(), "its entry " + quoted + " needs a dictionary");
                written += count;
            }
            require(written == destination.byteSize(), "its entry " + quoted + " is smaller than it says");
        } catch (DataFormatException e) {
            throw new PyTorchException(path, "is damaged: its entry " + quoted + " cannot be unpacked", e);
        } finally {
            inflater.end();
        }
    }

    /** @return begin, if so many bytes from there on lie in the file */
    private long range(long begin, long length) throws PyTorchException {
        require(
                begin >= 0 && length >= 0 && begin <= file.byteSize() && length <= file.byteSize() - begin,
                "it says that " + length + " bytes lie at byte " + begin + " of " + file.byteSize());
        return begin;
    }

    private int unsignedShort(long at) {
        return file.get(SHORT, at) & 0xffff;
    }

    private long unsignedInt(long at) {
        return file.get(INT, at) & 0xffff_ffffL;
    }

    private void require(boolean condition, String problem) throws PyTorchException {
        if (!condition) {
            throw new PyTorchException(path, "is a damaged zip file: " + problem + "; get it again");
        }
    }
}
