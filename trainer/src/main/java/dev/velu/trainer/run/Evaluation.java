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
        while (step.inFlight() > 0) {
            // Of an evaluation that a damaged image ended.
            step.await();
        }
        pipeline.startEpoch(0, 0);
        progress.begin("evaluation", 0, pipeline.batchesPerEpoch(), batchSize);
        Sums sums = new Sums(step, progress);
        for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
            step.submit(batch.images(), batch.labels());
            sums.counts.add(batch.count());
            batch.release();
            // On CUDA the batch before this one, so that the GPU always has the next one.
            if (step.inFlight() == step.capacity()) {
                sums.awaitOldest();
            }
        }
        while (step.inFlight() > 0) {
            sums.awaitOldest();
        }
        return new Evaluation(
                sums.images,
                sums.loss / sums.images,
                (double) sums.top1 / sums.images,
                (double) sums.top5 / sums.images,
                pipeline.skippedImages());
    }

    private static final class Sums {
        final InferenceStep step;
        final ProgressDisplay progress;
        final CountQueue counts;
        long steps;
        long images;
        long top1;
        long top5;
        double loss;

        Sums(InferenceStep step, ProgressDisplay progress) {
            this.step = step;
            this.progress = progress;
            counts = new CountQueue(step.capacity());
        }

        void awaitOldest() {
            step.await();
            int count = counts.removeOldest();
            images += count;
            loss += (double) step.loss() * count;
            top1 += step.top1();
            top5 += step.top5();
            steps++;
            progress.step(steps, steps, loss / images, (double) top1 / images);
        }
    }
}
