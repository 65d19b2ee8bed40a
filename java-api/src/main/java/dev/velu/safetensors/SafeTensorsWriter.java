package dev.velu.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Writes safetensors files that appear whole or not at all.
 *
 * <p>The bytes are a function of the metadata and the entries only: metadata sorted by key, tensors in the given order,
 * the header padded with spaces so that the data begins at a multiple of 8 bytes.
 */
public final class SafeTensorsWriter {
    private static final long CHUNK = 1 << 20;
    private static final AtomicLong COUNTER = new AtomicLong();

    private SafeTensorsWriter() {}

    /** Gives a tensor's bytes, little-endian, when their turn comes. */
    @FunctionalInterface
    public interface Content {
        /** Writes exactly as many bytes as the entry's type and shape say. */
        void writeTo(WritableByteChannel channel) throws IOException;
    }

    /** One tensor to write. */
    public record Entry(String name, ElementType dtype, Shape shape, Content content) {
        /**
         * Checks name and size.
         *
         * @throws IllegalArgumentException for the reserved name {@code __metadata__} or a size beyond 2^63 - 1 bytes
         */
        public Entry {
            if (name.equals(Header.METADATA)) {
                throw new IllegalArgumentException(
                        "a tensor cannot be named " + Header.METADATA + "; the format reserves it");
            }
            if (shape.elements() > Long.MAX_VALUE / dtype.bytes()) {
                throw new IllegalArgumentException("tensor " + SafeTensorsException.quote(name) + " of shape " + shape
                        + " is larger than 2^63 - 1 bytes");
            }
        }

        /**
         * A tensor whose bytes lie in memory, native or on the heap.
         *
         * @throws IllegalArgumentException if the segment's size is not that of the type and shape
         */
        public static Entry of(String name, DType dtype, Shape shape, MemorySegment data) {
            Entry entry = new Entry(name, ElementType.of(dtype), shape, channel -> copy(data, channel));
            if (data.byteSize() != entry.bytes()) {
                throw new IllegalArgumentException(
                        "tensor " + SafeTensorsException.quote(name) + ": " + dtype + " of shape " + shape + " takes "
                                + entry.bytes() + " bytes, the segment has " + data.byteSize());
            }
            return entry;
        }

        long bytes() {
            return shape.elements() * dtype.bytes();
        }
    }

    /**
     * Writes a file: into a new file beside it, flushed to the disk, then renamed over the target. If anything fails
     * the new file is removed and an old target is left as it was. A process killed meanwhile may leave a file that
     * ends in {@code .part}.
     *
     * @throws SafeTensorsException with the path and the reason, e.g. a full disk or a read-only folder
     * @throws IllegalArgumentException if two entries have the same name, the header would exceed 100 MB, or a content
     * gives
     *     another number of bytes than its entry says
     */
    public static void write(Path target, Map<String, String> metadata, List<Entry> entries)
            throws SafeTensorsException {
        Path absolute = target.toAbsolutePath();
        if (absolute.getFileName() == null || Files.isDirectory(absolute)) {
            throw new SafeTensorsException(target, "cannot be written: it is a folder");
        }
        Path temporary = absolute.resolveSibling(absolute.getFileName() + "."
                + ProcessHandle.current().pid() + "-" + COUNTER.incrementAndGet() + ".part");
        boolean created = false;
        try {
            byte[] header = header(metadata, entries);
            try (FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                created = true;
                writeFully(channel, ByteBuffer.wrap(header));
                for (Entry entry : entries) {
                    writeEntry(channel, entry);
                }
                channel.force(true);
            }
            Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            created = false;
            // The rename itself must reach the disk too.
            try (FileChannel folder = FileChannel.open(absolute.getParent(), StandardOpenOption.READ)) {
                folder.force(true);
            }
        } catch (IOException e) {
            throw new SafeTensorsException(target, "cannot be written: " + SafeTensorsException.reason(e), e);
        } finally {
            if (created) {
                remove(temporary);
            }
        }
    }

    private static void remove(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            // The failure that led here is the one to report.
            System.getLogger(SafeTensorsWriter.class.getName())
                    .log(System.Logger.Level.WARNING, "cannot remove " + temporary, e);
        }
    }

    private static byte[] header(Map<String, String> metadata, List<Entry> entries) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[Long.BYTES]);
        Set<String> names = new HashSet<>();
        try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(Header.METADATA);
                for (Map.Entry<String, String> field : new TreeMap<>(metadata).entrySet()) {
                    json.writeStringField(field.getKey(), field.getValue());
                }
                json.writeEndObject();
            }
            long begin = 0;
            for (Entry entry : entries) {
                if (!names.add(entry.name())) {
                    throw new IllegalArgumentException(
                            "two tensors are named " + SafeTensorsException.quote(entry.name()));
                }
                json.writeObjectFieldStart(entry.name());
                json.writeStringField("dtype", entry.dtype().name());
                json.writeFieldName("shape");
                long[] sizes = entry.shape().toArray();
                json.writeArray(sizes, 0, sizes.length);
                json.writeFieldName("data_offsets");
                long end = Math.addExact(begin, entry.bytes());
                json.writeArray(new long[] {begin, end}, 0, 2);
                json.writeEndObject();
                begin = end;
            }
            json.writeEndObject();
        }
        while (out.size() % Long.BYTES != 0) {
            out.write(' ');
        }
        byte[] header = out.toByteArray();
        if (header.length - Long.BYTES > Header.LARGEST) {
            throw new IllegalArgumentException("the header would have " + (header.length - Long.BYTES)
                    + " bytes; the format allows " + Header.LARGEST);
        }
        ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length - Long.BYTES);
        return header;
    }

    private static void writeEntry(FileChannel channel, Entry entry) throws IOException {
        long before = channel.position();
        entry.content().writeTo(channel);
        long written = channel.position() - before;
        if (written != entry.bytes()) {
            throw new IllegalArgumentException(
                    "the content of tensor " + SafeTensorsException.quote(entry.name()) + " gave " + written
                            + " bytes; " + entry.dtype() + " of shape " + entry.shape() + " takes " + entry.bytes());
        }
    }

    /** Through a native buffer, as a segment on the heap need not have a byte buffer of its own. */
    private static void copy(MemorySegment data, WritableByteChannel channel) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment staging =
                    data.isNative() ? null : arena.allocate(Math.min(CHUNK, Math.max(1, data.byteSize())));
            for (long done = 0; done < data.byteSize(); done += CHUNK) {
                MemorySegment chunk = data.asSlice(done, Math.min(CHUNK, data.byteSize() - done));
                MemorySegment bytes = staging == null
                        ? chunk
                        : staging.asSlice(0, chunk.byteSize()).copyFrom(chunk);
                writeFully(channel, bytes.asByteBuffer());
            }
        }
    }

    private static void writeFully(WritableByteChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
