/**
 * Event files of TensorBoard: TFRecord framing and the few messages of TensorFlow's {@code event.proto} and {@code summary.proto}
 * that curves, histograms, images and texts need.
 *
 * <p>What a training run writes into them is decided in {@code dev.velu.trainer.run}.
 */
package dev.velu.trainer.tensorboard;
