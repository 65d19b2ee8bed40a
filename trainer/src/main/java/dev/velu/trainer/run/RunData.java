package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.augment.Augmentation;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.data.CorruptImagePolicy;
import dev.velu.trainer.data.Dataset;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.DatasetPair;
import dev.velu.trainer.data.ShapesOptions;
import dev.velu.trainer.data.Subset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** The data of a run, opened: both splits within their limits, and the pipelines that read them. */
final class RunData implements AutoCloseable {
    private final DatasetPair pair;
    private final Dataset train;
    private final Dataset eval;
    private final int size;
    private final List<BatchPipeline> pipelines = new ArrayList<>();

    private RunData(DatasetPair pair, Dataset train, Dataset eval, int size) {
        this.pair = pair;
        this.train = train;
        this.eval = eval;
        this.size = size;
    }

    /** @throws dev.velu.trainer.data.DataException if the data set cannot be used */
    static RunData open(RunConfiguration configuration) {
        DatasetCatalog.Entry entry = DatasetCatalog.entry(configuration.data());
        int size = Objects.requireNonNullElse(configuration.size(), entry.imageSize());
        ShapesOptions shapes = entry.name().equals("shapes") ? shapes(configuration, size) : ShapesOptions.defaults();
        Path folder = configuration.dataDir() == null ? null : Path.of(configuration.dataDir());
        DatasetPair pair = DatasetCatalog.open(configuration.data(), folder, shapes);
        return new RunData(
                pair,
                limited(pair.train(), configuration.limitTrain(), configuration.seed()),
                limited(pair.eval(), configuration.limitEval(), configuration.seed()),
                size);
    }

    /** Drawn on demand, so a limit is also a wish for as many. */
    private static ShapesOptions shapes(RunConfiguration configuration, int size) {
        ShapesOptions shapes = ShapesOptions.defaults().withImageSize(size);
        return shapes.withCounts(
                Objects.requireNonNullElse(configuration.limitTrain(), shapes.trainCount()),
                Objects.requireNonNullElse(configuration.limitEval(), shapes.evalCount()));
    }

    private static Dataset limited(Dataset dataset, Integer limit, long seed) {
        return limit == null || limit >= dataset.size() ? dataset : Subset.limit(dataset, limit, seed);
    }

    Dataset train() {
        return train;
    }

    Dataset eval() {
        return eval;
    }

    /** Height and width that images are brought to, in pixels. */
    int size() {
        return size;
    }

    NormalizeImage normalization() {
        return new NormalizeImage(
                floats(train.normalization().mean()),
                floats(train.normalization().std()));
    }

    private static List<Float> floats(float[] values) {
        List<Float> list = new ArrayList<>();
        for (float value : values) {
            list.add(value);
        }
        return list;
    }

    /**
     * A pipeline over the evaluation split: in order, unchanged, all of it. The caller closes or {@link #own}s it.
     *
     * @param context whose host memory the batches lie in; open as long as the pipeline
     */
    BatchPipeline evaluationPipeline(RunConfiguration configuration, int batchSize, Context context) {
        return unchanged(eval, configuration, batchSize, context);
    }

    /**
     * A pipeline over as many images of the evaluation split as make one batch, drawn at random: of all classes also where the data
     * is sorted by class. The same for the same seed.
     */
    BatchPipeline samplePipeline(RunConfiguration configuration, int batchSize, Context context) {
        return unchanged(Subset.limit(eval, batchSize, configuration.seed()), configuration, batchSize, context);
    }

    private BatchPipeline unchanged(Dataset dataset, RunConfiguration configuration, int batchSize, Context context) {
        return BatchPipeline.builder(dataset)
                .batchSize(batchSize)
                .imageSize(size)
                .augmentation(Augmentation.none())
                .shuffle(false)
                .dropLast(false)
                .decodeThreads(decodeThreads(configuration))
                .corruptImages(corruptImages(configuration))
                .memory(context::allocateHost, context::freeHost)
                .build();
    }

    static int decodeThreads(RunConfiguration configuration) {
        return configuration.decodeThreads() > 0
                ? configuration.decodeThreads()
                : Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    }

    static CorruptImagePolicy corruptImages(RunConfiguration configuration) {
        return configuration.corruptImages().equals("skip") ? CorruptImagePolicy.SKIP : CorruptImagePolicy.FAIL;
    }

    /** Closes the pipeline with the data. */
    BatchPipeline own(BatchPipeline pipeline) {
        pipelines.add(pipeline);
        return pipeline;
    }

    @Override
    public void close() {
        pipelines.forEach(BatchPipeline::close);
        pair.close();
    }
}
