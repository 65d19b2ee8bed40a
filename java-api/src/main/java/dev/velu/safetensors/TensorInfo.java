package dev.velu.safetensors;

import dev.velu.tensor.Shape;

/**
 * One tensor of a file.
 *
 * @param begin offset of its first byte from the start of the file's data
 * @param end offset after its last byte
 */
public record TensorInfo(String name, ElementType dtype, Shape shape, long begin, long end) {
    /** Size in bytes. */
    public long bytes() {
        return end - begin;
    }
}
