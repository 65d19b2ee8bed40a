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
    /** Takes the images of an evaluation one by one. */
    @FunctionalInterface
    interface Listener {
        /** For whom the sums are enough. */
        Listener NONE = (index, label, step, row) -> {};

        /**
         * An image was classified.
         *
         * @param index of the image in the data set
         * @param label its class
         * @param step whose batch awaited last has the results
         * @param row of the image in that batch
         */
        void classified(int index, int label, InferenceStep step, int row);
    }

    /** Runs over all batches of a pipeline that does not shuffle. */
    static Evaluation of(
            InferenceStep step, BatchPipeline pipeline, ProgressDisplay progress, int batchSize, Listener listener)
            throws CorruptImageException, InterruptedException {
        while (step.inFlight() > 0) {
            // Of an evaluation that a damaged image ended.
            step.await();
        }
        pipeline.startEpoch(0, 0);
        progress.begin("evaluation", 0, pipeline.batchesPerEpoch(), batchSize);
        Sums sums = new Sums(step, progress, listener, batchSize);
        for (Batch batch = pipeline.next(); batch != null; batch = pipeline.next()) {
            step.submit(batch.images(), batch.labels());
            sums.rows.add(batch);
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
        final Listener listener;
        final RowQueue rows;
        long steps;
        long images;
        long top1;
        long top5;
        double loss;

        Sums(InferenceStep step, ProgressDisplay progress, Listener listener, int batchSize) {
            this.step = step;
            this.progress = progress;
            this.listener = listener;
            rows = new RowQueue(step.capacity(), batchSize);
        }

        void awaitOldest() {
            step.await();
            int count = rows.count();
            for (int row = 0; row < count; row++) {
                listener.classified(rows.index(row), rows.label(row), step, row);
            }
            rows.removeOldest();
            images += count;
            loss += (double) step.loss() * count;
            top1 += step.top1();
            top5 += step.top5();
            steps++;
            progress.step(steps, steps, loss / images, (double) top1 / images);
        }
    }
}
