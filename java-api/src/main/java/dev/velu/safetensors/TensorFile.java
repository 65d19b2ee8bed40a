package dev.velu.safetensors;

import dev.velu.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An open file of named tensors, whatever its format. Elements are in row-major order of the shape, however they are stored.
 *
 * <p>Nothing is held in memory but the description: tensors are read when they are asked for.
 */
public interface TensorFile extends AutoCloseable {
    /** Where the file is. */
    Path path();

    /** What the file says of itself; empty for formats that say nothing. */
    Map<String, String> metadata();

    /** The names of the tensors, in the order of the file. */
    List<String> names();

    /** Whether the file has a tensor of this name. */
    boolean contains(String name);

    /**
     * Element type of a tensor.
     *
     * @throws TensorFileException if the file has no such tensor
     */
    ElementType dtype(String name) throws TensorFileException;

    /**
     * Sizes of a tensor.
     *
     * @throws TensorFileException if the file has no such tensor
     */
    Shape shape(String name) throws TensorFileException;

    /**
     * Writes a part of a tensor's elements as float32 in the byte order of this machine, rounded to nearest where they are
     * wider.
     *
     * @param first index of the first element
     * @param destination 4 bytes for every element wanted
     * @throws TensorFileException if the file has no such tensor, its dtype has no conversion or its data are damaged
     * @throws IllegalArgumentException if the destination does not hold whole elements
     * @throws IndexOutOfBoundsException if the tensor has fewer elements
     */
    void copyTo(String name, long first, MemorySegment destination) throws TensorFileException;

    /**
     * A tensor's elements as integers; a U64 above 2^63 - 1 keeps its bits.
     *
     * @throws TensorFileException if the file has no such tensor, it is not of an integer type, its data are damaged, or it
     *     has more elements than an array holds
     */
    long[] toLongArray(String name) throws TensorFileException;

    /** Releases the file; it is an {@link IllegalStateException} to read from it later. */
    @Override
    void close();
}
