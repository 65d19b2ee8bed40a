/**
 * What {@code velu bench} compares with: the same work done by libtorch (through DJL), ONNX Runtime and others, in a process of its
 * own that takes requests as lines of JSON ({@link dev.velu.peers.PeerProgram}).
 *
 * <p>Nothing here runs code of this project's library: weights, batches and models come as files.
 */
package dev.velu.peers;
