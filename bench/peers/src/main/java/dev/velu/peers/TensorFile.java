package dev.velu.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/** A safetensors file: tensors by name. The format: 8 bytes length of a JSON header, the header, the data. */
final class TensorFile implements AutoCloseable {
    private static final long MAX_HEADER = 100_000_000;

    private final Path path;
    private final FileChannel channel;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** @param offset of the first byte in the file */
    record Entry(String dtype, long[] shape, long offset, long bytes) {}

    /**
     * Opens a file and reads its header.
     *
     * @throws IllegalArgumentException if it cannot be read or is something else
     */
    TensorFile(Path path) {
        this.path = path;
        try {
            channel = FileChannel.open(path);
            try {
                readHeader();
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read tensors of " + path + ": " + e, e);
        }
    }

    private void readHeader() throws IOException {
        ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        readFully(length, 0);
        long header = length.getLong(0);
        if (header < 2 || header > MAX_HEADER) {
            throw new IOException("no safetensors file: its header would have " + header + " bytes");
        }
        ByteBuffer json = ByteBuffer.allocate((int) header);
        readFully(json, Long.BYTES);
        JsonNode tensors = new ObjectMapper().readTree(json.array());
        tensors.properties().forEach(field -> {
            if (!field.getKey().equals("__metadata__")) {
                JsonNode tensor = field.getValue();
                JsonNode sizes = tensor.path("shape");
                long[] shape = IntStream.range(0, sizes.size())
                        .mapToLong(i -> sizes.get(i).asLong())
                        .toArray();
                long begin = tensor.path("data_offsets").path(0).asLong();
                long end = tensor.path("data_offsets").path(1).asLong();
                entries.put(
                        field.getKey(),
                        new Entry(tensor.path("dtype").asText(), shape, Long.BYTES + header + begin, end - begin));
            }
        });
    }

    /** All tensors in the order of the header. */
    Map<String, Entry> entries() {
        return entries;
    }

    /** @throws IllegalArgumentException if there is no such tensor */
    Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException(path + " has no tensor " + name);
        }
        return entry;
    }

    /** Fills a buffer, whose size is the tensor's, with its bytes. */
    void read(Entry entry, ByteBuffer into) {
        try {
            readFully(into, entry.offset());
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read tensors of " + path + ": " + e, e);
        }
    }

    private void readFully(ByteBuffer buffer, long position) throws IOException {
        while (buffer.hasRemaining()) {
            int count = channel.read(buffer, position);
            if (count < 0) {
                throw new EOFException("it ends after " + position + " bytes");
            }
            position += count;
        }
        buffer.flip();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new IllegalStateException("closing a file that was read failed", e);
        }
    }
}
