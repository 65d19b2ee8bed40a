package dev.velu.trainer.run;

import dev.velu.models.InferenceStep;
import dev.velu.trainer.data.Batch;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.data.CorruptImageException;

/**
 * What a network gives on a split of a data set.
 *
 * @param images evaluated
 * @param loss cross-entropy, mean over the images
 * @param top1 fraction classified correctly
 * @param top5 fraction whose class is among the five most probable
 * @param skippedImages corrupt images left out
 */
public record Evaluation(long images, double loss, double top1, double top5, long skippedImages) {
    /** Runs over all batches of a pipeline that does not shuffle. */
    static Evaluation of(InferenceStep step, BatchPipeline pipeline, ProgressDisplay progress, int batchSize)
            throws CorruptImageException, InterruptedException {
        pipeline.startEpoch(0, 0);
        progress.begin("evaluation", 0, pipeline.batchesPerEpoch(), batchSize);
        long images = 0;
        long top1 = 0;
        long top5 = 0;
        double loss = 0;
        long steps = 0;
        for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
            int count = batch.count();
            step.run(batch.images(), batch.labels());
            batch.release();
            images += count;
            loss += (double) step.loss() * count;
            top1 += step.top1();
            top5 += step.top5();
            steps++;
            progress.step(steps, steps, loss / images, (double) top1 / images);
        }
        return new Evaluation(
                images, loss / images, (double) top1 / images, (double) top5 / images, pipeline.skippedImages());
    }
}
