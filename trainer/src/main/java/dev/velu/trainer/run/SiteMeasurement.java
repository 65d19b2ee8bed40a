package dev.velu.trainer.run;

import dev.velu.models.SiteStatistics;
import dev.velu.trainer.data.Batch;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.report.SiteActivity;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Measures after an epoch what the activation sites do with the first images of the evaluation. */
final class SiteMeasurement {
    private SiteMeasurement() {}

    /**
     * Measures with the parameters as they are now.
     *
     * @param count of the images, at most a batch
     * @param epoch from 1
     * @return the sites in the order of execution; none if some of the images are corrupt and left out
     */
    static List<SiteActivity> of(RunNetwork network, BatchPipeline evaluation, int count, int epoch)
            throws CorruptImageException, InterruptedException {
        evaluation.startEpoch(0, 0);
        Batch batch = evaluation.next();
        try {
            if (batch.count() < count) {
                return List.of();
            }
            long imageBytes = batch.images().byteSize() / (batch.labels().byteSize() / Integer.BYTES);
            MemorySegment images = batch.images().asSlice(0, count * imageBytes);
            return network.measureSites(images).stream()
                    .map(site -> activity(epoch, site))
                    .toList();
        } finally {
            batch.release();
        }
    }

    private static SiteActivity activity(int epoch, SiteStatistics site) {
        return new SiteActivity(
                epoch,
                site.site(),
                site.activation(),
                site.lambda(),
                site.w2(),
                site.mean(),
                site.std(),
                site.scaleMin(),
                site.scaleMean(),
                site.scaleMax(),
                site.deadUnits(),
                site.units(),
                site.saturated(),
                site.elements());
    }
}
