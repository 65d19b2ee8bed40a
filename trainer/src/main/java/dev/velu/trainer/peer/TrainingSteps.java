package dev.velu.trainer.peer;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Optimizer;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;

/**
 * Our training steps on random images: copy to the device, forward, loss, backward, optimizer, and the loss read back. Always the same
 * batch.
 */
public final class TrainingSteps implements Contender {
    /** So small that thousands of steps on random labels change no speed. */
    public static final float LEARNING_RATE = 1e-4f;

    private static final NormalizeImage NORMALIZATION = NormalizeImage.imageNet();

    private final NetworkSpec spec;
    private final Parameters parameters = new Parameters();
    private final Context context;
    private final RandomBatch batch;
    private final TrainingStep step;

    /**
     * Lays out memory and fills it.
     *
     * @param settings optimizer, batch size, label smoothing, clipping and seed
     * @throws dev.velu.device.VeluException if the device or its memory does not suffice
     */
    public TrainingSteps(RunConfiguration settings, NetworkSpec spec, Device device, ContextOptions options) {
        this.spec = spec;
        int batchSize = settings.batchSize();
        Network network = Network.build(spec, parameters, batchSize, true, NORMALIZATION);
        context = Context.open(device, options);
        try {
            parameters.allocate(context, true);
            parameters.initialize(settings.seed());
            Optimizer optimizer = new Optimizer(parameters, settings.algorithm(), settings.clip(), context);
            batch = new RandomBatch(batchSize, spec.size(), spec.classes(), context);
            step = new TrainingStep(network, context, optimizer, settings.labelSmoothing());
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return "velu " + spec.precision().label() + ", " + spec.bodyActivation().label();
    }

    /**
     * Steps that follow each other as in training: on a GPU the next one is given to the device while the one before it runs.
     *
     * @return milliseconds from the end of each step to that of the next
     */
    @Override
    public double[] run(int count) {
        // Where steps overlap, the first one has the device to itself at its begin.
        int before = step.capacity() > 1 ? 1 : 0;
        double[] milliseconds = new double[count];
        long last = System.nanoTime();
        int submitted = 0;
        for (int ended = 0; ended < before + count; ) {
            if (submitted < before + count && step.inFlight() < step.capacity()) {
                step.submit(batch.images(), batch.labels(), LEARNING_RATE);
                submitted++;
                continue;
            }
            step.await();
            long now = System.nanoTime();
            if (ended >= before) {
                milliseconds[ended - before] = (now - last) / 1e6;
            }
            last = now;
            ended++;
        }
        return milliseconds;
    }

    /** One step, waited for. */
    public void runOnce() {
        step.run(batch.images(), batch.labels(), LEARNING_RATE);
    }

    /** The planned step itself. */
    public TrainingStep step() {
        return step;
    }

    /** The context the steps are on. */
    public Context context() {
        return context;
    }

    /** The labels of the batch. */
    public int[] labels() {
        return batch.labelArray();
    }

    /** Writes the present weights and the batch as peers take them; see {@link PeerFiles#tensors}. */
    public Path writeTo(PeerFiles files) {
        return files.tensors(parameters, context, batch, NORMALIZATION);
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
