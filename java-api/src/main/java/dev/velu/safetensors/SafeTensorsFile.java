package dev.velu.safetensors;

import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A safetensors file, mapped into memory read-only and checked whole when it is opened.
 *
 * <p>May be read by several threads. Its segments live until {@link #close}; using one later is an
 * {@link IllegalStateException}. Closing twice is allowed. A file must not be cut short by another process while it is
 * open; {@link SafeTensorsWriter} replaces files, which is safe.
 */
public final class SafeTensorsFile implements TensorFile {
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat HOST_FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final Path path;
    private final Arena arena;
    private final Header header;
    private final MemorySegment data;

    private SafeTensorsFile(Path path, Arena arena, Header header, MemorySegment data) {
        this.path = path;
        this.arena = arena;
        this.header = header;
        this.data = data;
    }

    /**
     * Opens and checks a file.
     *
     * @throws SafeTensorsException if it cannot be read or is not a valid safetensors file; names the file, the tensor
     * and
     *     the values
     */
    public static SafeTensorsFile open(Path path) throws SafeTensorsException {
        Arena arena = Arena.ofShared();
        try {
            SafeTensorsFile file = open(path, arena);
            arena = null;
            return file;
        } finally {
            if (arena != null) {
                arena.close();
            }
        }
    }

    private static SafeTensorsFile open(Path path, Arena arena) throws SafeTensorsException {
        MemorySegment file = map(path, arena);
        if (file.byteSize() < Long.BYTES) {
            throw new SafeTensorsException(
                    path, "the file has " + file.byteSize() + " bytes; a safetensors file has at least 10");
        }
        long headerBytes = file.get(LENGTH, 0);
        if (headerBytes < 0 || headerBytes > Header.LARGEST) {
            throw new SafeTensorsException(
                    path,
                    "a header of " + Long.toUnsignedString(headerBytes) + " bytes is above the limit of "
                            + Header.LARGEST + "; this is not a safetensors file");
        }
        long dataBegin = Long.BYTES + headerBytes;
        if (dataBegin > file.byteSize()) {
            throw new SafeTensorsException(
                    path,
                    "a header of " + headerBytes + " bytes does not fit in a file of " + file.byteSize()
                            + " bytes; the file is cut off or not a safetensors file");
        }
        MemorySegment data = file.asSlice(dataBegin);
        Header header = Header.parse(path, file.asSlice(Long.BYTES, headerBytes).asByteBuffer(), data.byteSize());
        return new SafeTensorsFile(path, arena, header, data);
    }

    private static MemorySegment map(Path path, Arena arena) throws SafeTensorsException {
        if (Files.isDirectory(path)) {
            throw new SafeTensorsException(path, "this is a folder, not a safetensors file");
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new SafeTensorsException(path, "cannot be read: " + SafeTensorsException.reason(e), e);
        }
    }

    @Override
    public Path path() {
        return path;
    }

    /** The strings under {@code __metadata__}, in the order of the file; empty if there are none. */
    @Override
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /** The names of the tensors, in the order of the header. */
    @Override
    public List<String> names() {
        return List.copyOf(header.tensors().keySet());
    }

    @Override
    public boolean contains(String name) {
        return header.tensors().containsKey(name);
    }

    /**
     * Element type, shape and place of a tensor.
     *
     * @throws SafeTensorsException if the file has no such tensor
     */
    public TensorInfo info(String name) throws SafeTensorsException {
        TensorInfo info = header.tensors().get(name);
        if (info == null) {
            throw new SafeTensorsException(
                    path,
                    "has no tensor " + SafeTensorsException.quote(name) + " among its "
                            + header.tensors().size());
        }
        return info;
    }

    @Override
    public ElementType dtype(String name) throws SafeTensorsException {
        return info(name).dtype();
    }

    @Override
    public Shape shape(String name) throws SafeTensorsException {
        return info(name).shape();
    }

    /**
     * A tensor's bytes: read-only, little-endian, not necessarily aligned.
     *
     * @throws SafeTensorsException if the file has no such tensor
     * @throws IllegalStateException after close
     */
    public MemorySegment segment(String name) throws SafeTensorsException {
        TensorInfo info = info(name);
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("the file " + path + " is closed");
        }
        return data.asSlice(info.begin(), info.bytes());
    }

    /**
     * A tensor's elements as float32, rounded to nearest where they are wider.
     *
     * @throws SafeTensorsException if the file has no such tensor, its dtype has no conversion, or it has more elements
     * than
     *     an array holds ({@link #copyTo} has no such limit)
     */
    public float[] toFloatArray(String name) throws SafeTensorsException {
        float[] values = new float[arrayLength(info(name))];
        copyTo(name, MemorySegment.ofArray(values));
        return values;
    }

    /**
     * Writes a tensor's elements as float32 in the byte order of this machine.
     *
     * @param destination 4 bytes for every element
     * @throws SafeTensorsException if the file has no such tensor or its dtype has no conversion
     * @throws IllegalArgumentException if the destination has another size
     */
    public void copyTo(String name, MemorySegment destination) throws SafeTensorsException {
        long elements = info(name).shape().elements();
        if (destination.byteSize() / Float.BYTES != elements || destination.byteSize() % Float.BYTES != 0) {
            throw new IllegalArgumentException("tensor " + SafeTensorsException.quote(name) + " has " + elements
                    + " elements, the destination has " + destination.byteSize() + " bytes, 4 are needed for each");
        }
        copyTo(name, 0, destination);
    }

    @Override
    public void copyTo(String name, long first, MemorySegment destination) throws SafeTensorsException {
        TensorInfo info = info(name);
        ElementType dtype = info.dtype();
        if (!dtype.convertible()) {
            throw new SafeTensorsException(
                    path, "tensor " + SafeTensorsException.quote(name) + " of " + dtype + " has no conversion to F32");
        }
        long elements = destination.byteSize() / Float.BYTES;
        if (destination.byteSize() % Float.BYTES != 0) {
            throw new IllegalArgumentException(
                    "a destination of " + destination.byteSize() + " bytes does not hold whole elements of 4 bytes");
        }
        Objects.checkFromIndexSize(first, elements, info.shape().elements());
        MemorySegment source = segment(name).asSlice(first * dtype.bytes(), elements * dtype.bytes());
        if (dtype == ElementType.F32 && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN) {
            destination.copyFrom(source);
            return;
        }
        for (long i = 0; i < elements; i++) {
            destination.set(HOST_FLOAT, i * Float.BYTES, dtype.toFloat(source, i));
        }
    }

    /**
     * A tensor's elements as integers; a U64 above 2^63 - 1 keeps its bits.
     *
     * @throws SafeTensorsException if the file has no such tensor, it is not of an integer type, or it has more
     * elements than
     *     an array holds
     */
    @Override
    public long[] toLongArray(String name) throws SafeTensorsException {
        TensorInfo info = info(name);
        if (!info.dtype().integral()) {
            throw new SafeTensorsException(
                    path,
                    "tensor " + SafeTensorsException.quote(name) + " of " + info.dtype() + " does not hold integers");
        }
        MemorySegment source = segment(name);
        long[] values = new long[arrayLength(info)];
        for (int i = 0; i < values.length; i++) {
            values[i] = info.dtype().toLong(source, i);
        }
        return values;
    }

    private int arrayLength(TensorInfo info) throws SafeTensorsException {
        Shape shape = info.shape();
        if (shape.elements() > Integer.MAX_VALUE - 8) {
            throw new SafeTensorsException(
                    path,
                    "tensor " + SafeTensorsException.quote(info.name()) + " has " + shape.elements()
                            + " elements, more than an array holds");
        }
        return (int) shape.elements();
    }

    /** Unmaps the file. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    @Override
    public String toString() {
        return "SafeTensorsFile[" + path + ", " + header.tensors().size() + " tensors]";
    }
}
