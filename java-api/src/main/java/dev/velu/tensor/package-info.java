/**
 * Dense row-major tensors in device memory: element types, shapes, and memory that is owned or borrowed as a {@link
 * java.lang.foreign.MemorySegment}.
 *
 * <p>There is no arithmetic here; operations on tensors are in {@code dev.velu.op}.
 */
package dev.velu.tensor;
