package dev.velu.trainer.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * How far a run has come: what a checkpoint keeps beside the tensors so that a resumed run goes on as if it had never stopped.
 *
 * @param epochs finished epochs
 * @param stepsInEpoch steps of the epoch that was interrupted; 0 between epochs
 * @param steps batches since the start
 * @param lossSum sum of the loss over the images of the interrupted epoch
 * @param correct of them classified correctly
 * @param images of them seen
 * @param w2Sum sum over the steps of the interrupted epoch of {@code W2^2} summed over the sites
 * @param skippedImages corrupt images left out
 * @param bestTop1 best evaluation so far, -1 before the first
 * @param bestEpoch its epoch, 0 before the first
 * @param referenceTop1 evaluation that early stopping measures the next ones by, -1 before the first
 * @param referenceEpoch its epoch, 0 before the first
 */
record RunProgress(
        int epochs,
        int stepsInEpoch,
        long steps,
        double lossSum,
        long correct,
        long images,
        double w2Sum,
        long skippedImages,
        double bestTop1,
        int bestEpoch,
        double referenceTop1,
        int referenceEpoch) {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .build();

    /** @throws IllegalArgumentException for a negative count */
    RunProgress {
        if (Math.min(epochs, Math.min(stepsInEpoch, Math.min(bestEpoch, referenceEpoch))) < 0
                || Math.min(Math.min(steps, skippedImages), Math.min(correct, images)) < 0) {
            throw new IllegalArgumentException("progress holds a negative count");
        }
    }

    static RunProgress start() {
        return new RunProgress(0, 0, 0, 0, 0, 0, 0, 0, -1, 0, -1, 0);
    }

    /**
     * After an epoch.
     *
     * @param top1 of its evaluation
     * @param delta by how much an evaluation has to be better for early stopping
     */
    RunProgress next(EpochMetrics epoch, double top1, double delta) {
        boolean best = top1 > bestTop1;
        boolean better = referenceEpoch == 0 || top1 > referenceTop1 + delta;
        return new RunProgress(
                epoch.epoch(),
                0,
                epoch.steps(),
                0,
                0,
                0,
                0,
                epoch.skippedImages(),
                best ? top1 : bestTop1,
                best ? epoch.epoch() : bestEpoch,
                better ? top1 : referenceTop1,
                better ? epoch.epoch() : referenceEpoch);
    }

    /**
     * Whether the evaluations have not become better for too long.
     *
     * @param patience epochs; 0 for no end
     */
    boolean stopsEarly(int patience) {
        return patience > 0 && epochs - referenceEpoch >= patience;
    }

    String toJson() {
        try {
            return JSON.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("progress is always JSON", e);
        }
    }

    /** @throws IllegalArgumentException if the text is not what {@link #toJson} writes */
    static RunProgress fromJson(String json) {
        try {
            JsonNode tree = JSON.readTree(json);
            if (tree instanceof ObjectNode progress && !progress.has("reference_top1")) {
                // Of a run from before there was early stopping.
                progress.set("reference_top1", progress.path("best_top1"));
                progress.set("reference_epoch", progress.path("best_epoch"));
            }
            return JSON.treeToValue(tree, RunProgress.class);
        } catch (JsonProcessingException e) {
            if (e.getCause() instanceof IllegalArgumentException cause) {
                throw cause;
            }
            throw new IllegalArgumentException("progress is unreadable", e);
        }
    }
}
