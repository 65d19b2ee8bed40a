/**
 * Comparisons with other libraries: their processes ({@link dev.velu.trainer.peer.PeerProcess}), turns that interleave them with ours
 * ({@link dev.velu.trainer.peer.Rounds}), and what is said of the times ({@link dev.velu.trainer.peer.Comparison}).
 *
 * <p>What the peers compute lives in the module {@code bench/peers}, which this one does not depend on: it is found at run time.
 */
package dev.velu.trainer.peer;
