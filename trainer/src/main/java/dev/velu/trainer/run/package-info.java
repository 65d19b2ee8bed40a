/**
 * Training runs: the configuration that defines one, the loop over epochs, metrics, checkpoints and exact resuming, evaluation and
 * prediction.
 *
 * <p>The command line that starts them lives in {@code dev.velu.trainer.cli}, the images in {@code dev.velu.trainer.data}.
 */
package dev.velu.trainer.run;
