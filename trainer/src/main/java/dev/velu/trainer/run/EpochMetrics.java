package dev.velu.trainer.run;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/**
 * One line of {@code metrics.jsonl}: what one epoch gave. Everything but the last three is the same whenever the same run is
 * repeated.
 *
 * @param epoch from 1
 * @param steps batches since the start of the run
 * @param learningRate of the epoch's last step
 * @param trainLoss cross-entropy, mean over the epoch's images as they were seen, without the W2 term
 * @param trainTop1 fraction of them classified correctly
 * @param w2 {@code W2^2}, mean over the VeLU sites and the epoch's steps; 0 without VeLU
 * @param w2Loss what the W2 terms add to the loss: {@code lambda_ot} times the sum over the sites, mean over the steps
 * @param evalLoss cross-entropy, mean over the evaluation images
 * @param evalTop1 fraction of them classified correctly
 * @param evalTop5 fraction of them whose class is among the five most probable
 * @param skippedImages corrupt images left out since the start of the process
 * @param imagesPerSecond training images per second of training time
 * @param seconds wall time of the epoch with its evaluation
 * @param decodeWaitSeconds how long the training loop waited for images
 */
@JsonPropertyOrder({"epoch", "steps", "learning_rate"})
public record EpochMetrics(
        int epoch,
        long steps,
        float learningRate,
        double trainLoss,
        double trainTop1,
        double w2,
        double w2Loss,
        double evalLoss,
        double evalTop1,
        double evalTop5,
        long skippedImages,
        double imagesPerSecond,
        double seconds,
        double decodeWaitSeconds) {}
