/**
 * The operations, one file each, named as in {@code velu.h}. An operation is a record of its constants; it can be
 * called at once on tensors, or recorded in a graph, where it also knows its gradient.
 *
 * <p>What connects operations (recording, differentiation, fusion, memory) lives in {@code dev.velu.graph}; the
 * arithmetic itself lives in the native library.
 */
package dev.velu.op;
