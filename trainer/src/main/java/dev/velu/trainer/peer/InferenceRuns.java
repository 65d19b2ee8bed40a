package dev.velu.trainer.peer;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.models.InferenceStep;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;

/**
 * Our classification of random images, one batch after the other: copy to the device, normalization, forward pass, and the scores
 * read back. Always the same batch.
 */
public final class InferenceRuns implements Contender {
    private static final NormalizeImage NORMALIZATION = NormalizeImage.imageNet();

    private final NetworkSpec spec;
    private final Parameters parameters = new Parameters();
    private final Context context;
    private final RandomBatch batch;
    private final InferenceStep step;

    /**
     * Lays out memory and fills it.
     *
     * @param settings batch size and seed
     * @throws dev.velu.device.VeluException if the device or its memory does not suffice
     */
    public InferenceRuns(RunConfiguration settings, NetworkSpec spec, Device device, ContextOptions options) {
        this.spec = spec;
        Network network = Network.build(spec, parameters, settings.batchSize(), false, NORMALIZATION);
        context = Context.open(device, options);
        try {
            parameters.allocate(context, false);
            parameters.initialize(settings.seed());
            batch = new RandomBatch(settings.batchSize(), spec.size(), spec.classes(), context);
            step = new InferenceStep(network, context);
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return "velu " + spec.precision().label();
    }

    @Override
    public double[] run(int count) {
        double[] milliseconds = new double[count];
        for (int i = 0; i < count; i++) {
            long begin = System.nanoTime();
            step.run(batch.images());
            milliseconds[i] = (System.nanoTime() - begin) / 1e6;
        }
        return milliseconds;
    }

    /** Scores of the first image, from the last run. */
    public float[] logits() {
        return step.logits(0);
    }

    /** Writes the batch as peers take it; see {@link PeerFiles#tensors}. */
    public Path writeBatch(PeerFiles files) {
        return files.tensors(null, context, batch, NORMALIZATION);
    }

    /** Writes the network as an ONNX model. */
    public Path writeModel(PeerFiles files) {
        return files.onnx(spec, parameters, NORMALIZATION, context);
    }

    /** The context the runs are on. */
    public Context context() {
        return context;
    }

    @Override
    public void close() {
        try {
            step.close();
        } finally {
            context.close();
        }
    }
}
