package dev.velu.trainer.run;

import dev.velu.models.SiteStatistics;
import dev.velu.trainer.data.Batch;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.data.CorruptImageException;
import dev.velu.trainer.report.SiteActivity;
import java.util.List;

/** Measures after an epoch what the activation sites do with some images of the evaluation. */
final class SiteMeasurement {
    private SiteMeasurement() {}

    /**
     * Measures with the parameters as they are now.
     *
     * @param samples a pipeline of one batch
     * @param count images of that batch
     * @param epoch from 1
     * @return the sites in the order of execution; none if some of the images are corrupt and left out
     */
    static List<SiteActivity> of(RunNetwork network, BatchPipeline samples, int count, int epoch)
            throws CorruptImageException, InterruptedException {
        samples.startEpoch(0, 0);
        Batch batch = samples.next();
        try {
            if (batch.count() < count) {
                return List.of();
            }
            return network.measureSites(batch.images()).stream()
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
