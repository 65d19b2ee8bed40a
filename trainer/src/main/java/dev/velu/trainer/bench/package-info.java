/**
 * Measurements of single kernels, operations and calls beside those of others, in turns ({@link dev.velu.trainer.peer.Rounds}). Whole
 * steps are measured by the command line itself; what the others compute lives in the module {@code bench/peers}.
 */
package dev.velu.trainer.bench;
