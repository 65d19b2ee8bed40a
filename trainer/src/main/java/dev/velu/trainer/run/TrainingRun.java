package dev.velu.trainer.run;

import com.sun.management.ThreadMXBean;
import dev.velu.device.BackendInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameter;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Schedule;
import dev.velu.trainer.data.Batch;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.profile.ProfileReport;
import dev.velu.trainer.report.SiteActivity;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * A training run: data, network, optimizer, and the loop over epochs, with its files in one folder.
 *
 * <p>{@code config.json} is the configuration, {@code metrics.jsonl} has a line per epoch, {@code checkpoint-last.safetensors} is
 * where a run resumes, {@code checkpoint-best.safetensors} the network of the best evaluation. The same configuration gives the
 * same files (times aside), and a run that was killed and resumed ends like one that was not.
 */
public final class TrainingRun implements AutoCloseable {
    /** File to resume from. */
    public static final String LAST = "checkpoint-last.safetensors";
    /** Network of the best evaluation. */
    public static final String BEST = "checkpoint-best.safetensors";

    private static final int MOST_MEASURED = 32;

    /** How a run ended. */
    public enum Outcome {
        COMPLETED,
        /** Asked to stop; a checkpoint was written after the step. */
        INTERRUPTED
    }

    private final RunConfiguration configuration;
    private final Path output;
    private final ProgressDisplay progress;
    private final RunData data;
    private final int size;
    private final Context context;
    private final NormalizeImage normalization;
    private final NetworkSpec spec;
    private final BatchPipeline trainPipeline;
    private final BatchPipeline evalPipeline;
    /** What the activation sites are measured with. */
    private final BatchPipeline samplePipeline;

    private final RunFolder folder;
    private final ProfiledSteps profiled;
    private final RunRecorder recorder;
    private final Schedule schedule;
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final boolean resume;
    private final RunCheckpoints checkpoints;
    /** Another one when frozen parameters begin to train. */
    private RunNetwork network;

    private RunProgress state = RunProgress.start();
    private EpochMetrics latest;

    /**
     * Opens the data, makes the network, and loads the weights to start from, or the checkpoint if resuming. Nothing is written yet.
     *
     * @param resume continue from the checkpoint in the folder, if there is one
     * @throws RunException if the folder's run was configured otherwise
     */
    @SuppressWarnings("this-escape")
    public TrainingRun(RunConfiguration configuration, Path output, boolean resume, ProgressDisplay progress)
            throws IOException {
        this.configuration = configuration;
        this.output = output;
        this.resume = resume;
        this.progress = progress;
        this.folder = new RunFolder(output, resume, progress);
        this.profiled = new ProfiledSteps(output, progress);
        Device device = Device.parse(configuration.device());
        boolean opened = false;
        this.context = Context.open(device, configuration.contextOptions());
        RunData openData = null;
        try {
            openData = RunData.open(configuration);
            data = openData;
            size = data.size();
            normalization = data.normalization();
            spec = configuration.network(data.train().classNames().size(), size);
            checkpoints =
                    new RunCheckpoints(configuration, data.train().classNames(), size, normalization, output, context);
            int batch = configuration.batchSize();
            int stepsPerEpoch = data.train().size() / batch;
            boolean goesOn = resume && checkpoints.canResume();
            if (goesOn) {
                state = checkpoints.progress(stepsPerEpoch);
            }
            network = new RunNetwork(
                    configuration,
                    spec,
                    normalization,
                    context,
                    configuration.freezesIn(lastTrainedEpoch()),
                    measuredImages(),
                    training -> {
                        if (!goesOn) {
                            start(training);
                        }
                    });
            if (goesOn) {
                checkpoints.load(network, state);
            } else if (resume) {
                progress.line("no " + LAST + " in " + output + " yet: starting from the beginning");
            }
            // After the network: batches that it has no memory for are refused before any are laid out.
            trainPipeline = data.own(BatchPipeline.builder(data.train())
                    .batchSize(batch)
                    .imageSize(size)
                    .augmentation(configuration.augmentation(data.train().horizontalFlip()))
                    .shuffle(true)
                    .seed(configuration.seed())
                    .dropLast(true)
                    .decodeThreads(RunData.decodeThreads(configuration))
                    .mixing(configuration.mixing())
                    .corruptImages(RunData.corruptImages(configuration))
                    .memory(context::allocateHost, context::freeHost)
                    .build());
            long totalSteps = (long) configuration.epochs() * trainPipeline.batchesPerEpoch();
            if (configuration.accumulate() > totalSteps) {
                throw new RunException("accumulate " + configuration.accumulate() + " is more than the " + totalSteps
                        + " steps of the run: its parameters would never be updated; accumulate less or train longer");
            }
            schedule = configuration.learningRateSchedule(totalSteps);
            evalPipeline = data.own(data.evaluationPipeline(configuration, batch, context));
            samplePipeline = data.own(data.samplePipeline(configuration, measuredImages(), context));
            recorder = new RunRecorder(configuration, output, data.eval(), progress);
            opened = true;
        } finally {
            if (!opened) {
                closeAfterFailure(openData);
            }
        }
    }

    private void closeAfterFailure(RunData openData) {
        try (context;
                openData) {
            if (network != null) {
                network.close();
            }
        }
    }

    /** On how many images the activation sites are measured after an epoch. */
    private int measuredImages() {
        return Math.min(
                MOST_MEASURED, Math.min(configuration.batchSize(), data.eval().size()));
    }

    /** The first values of a new run. */
    private void start(Network training) throws IOException {
        training.parameters().initialize(configuration.seed());
        if (configuration.weights() != null) {
            Weights.load(Path.of(configuration.weights()), training, context)
                    .lines()
                    .forEach(progress::line);
        }
    }

    /** From 0: the one that the state is of. */
    private int lastTrainedEpoch() {
        return state.stepsInEpoch() > 0 ? state.epochs() : Math.max(0, state.epochs() - 1);
    }

    /**
     * Lets some of the steps of {@link #run} be timed call by call, after the first ones; writes {@link StepProfiler#REPORT}
     * and {@link StepProfiler#TRACE} as soon as they are. What is learned stays the same.
     *
     * @param steps positive; of a shorter run all
     * @param ready takes the report when the files are written
     */
    public void profile(int steps, Consumer<ProfileReport> ready) {
        profiled.request(steps, ready);
    }

    /**
     * Trains to the end or until the process is asked to stop.
     *
     * <p>A run that fails before it has a result leaves no files.
     *
     * @throws RunException if the loss is no longer finite; names the step and the last good checkpoint
     * @throws IOException if an image is corrupt or a file cannot be written; the message names it
     */
    public Outcome run() throws IOException, InterruptedException {
        boolean ended = false;
        try {
            Outcome outcome = train();
            ended = true;
            return outcome;
        } finally {
            if (!ended) {
                folder.removeTraces();
            }
        }
    }

    private Outcome train() throws IOException, InterruptedException {
        folder.prepare(configuration, state.epochs(), network.checkpointSizes(configuration.epochs() - state.epochs()));
        if (state.epochs() >= configuration.epochs()) {
            progress.line("the run in " + output + " has already finished its " + state.epochs() + " epochs");
            return Outcome.COMPLETED;
        }
        if (state.stopsEarly(configuration.earlyStopping())) {
            progress.line("the run in " + output + " has already stopped early, after epoch " + state.epochs());
            return Outcome.COMPLETED;
        }
        progress.line(String.format(
                Locale.ROOT,
                "training %s with %s on %s: %d images, %d classes, %d x %d, %s, planned memory %d MiB",
                configuration.model(),
                configuration.activation(),
                configuration.data(),
                data.train().size(),
                data.train().classNames().size(),
                size,
                size,
                machine(),
                context.allocatedBytes() >> 20));
        describeTraining();
        warnOfMissingLibraries();
        if (state.steps() > 0) {
            progress.line("resuming after epoch " + state.epochs() + ", step " + state.stepsInEpoch());
        }
        long stepsInRun = (long) configuration.epochs() * trainPipeline.batchesPerEpoch();
        long stepsDone = (long) state.epochs() * trainPipeline.batchesPerEpoch() + state.stepsInEpoch();
        profiled.start(configuration, size, context, network.step(), trainPipeline, stepsInRun - stepsDone);
        recorder.begin(state, data.train().size(), size, parameterCount(), context);
        try (Interruption interruption = new Interruption()) {
            for (int epoch = state.epochs(); epoch < configuration.epochs(); epoch++) {
                if (network.frozen() && !configuration.freezesIn(epoch)) {
                    unfreeze(epoch);
                }
                if (!trainEpoch(epoch, interruption)) {
                    profiled.finish();
                    checkpoints.saveLast(network, state);
                    recorder.end(Outcome.INTERRUPTED);
                    progress.line("stopped after step " + state.steps() + "; saved " + output.resolve(LAST)
                            + "; continue with: velu train --resume --output " + output);
                    return Outcome.INTERRUPTED;
                }
                if (epoch + 1 < configuration.epochs() && state.stopsEarly(configuration.earlyStopping())) {
                    progress.line(String.format(
                            Locale.ROOT,
                            "stopping early: no evaluation since epoch %d was better than its top-1 of %.2f %%",
                            state.referenceEpoch(),
                            100 * state.referenceTop1()));
                    break;
                }
            }
        }
        recorder.end(Outcome.COMPLETED);
        return Outcome.COMPLETED;
    }

    /** What is out of the ordinary in how this run trains. */
    private void describeTraining() {
        if (network.frozen()) {
            progress.line(String.format(
                    Locale.ROOT,
                    "%,d of %,d parameters train: %s is frozen%s",
                    network.parameters().trainedCount(),
                    network.parameters().count(Parameter.Role.WEIGHT)
                            + network.parameters().count(Parameter.Role.ACTIVATION),
                    String.join(", ", configuration.freeze()),
                    configuration.unfreezeEpoch() > 0 ? " until epoch " + configuration.unfreezeEpoch() : ""));
        }
        if (!configuration.mixing().isNone()) {
            progress.line("training images are mixed in pairs: train loss and top-1 are of the mixtures, top-1 by each"
                    + " image's own class");
        }
    }

    /** Goes on with the same values, all of which train. The optimizer and the average of the weights start anew. */
    private void unfreeze(int epoch) throws IOException {
        profiled.finish();
        RunNetwork before = network;
        network = new RunNetwork(
                configuration,
                spec,
                normalization,
                context,
                false,
                measuredImages(),
                training -> training.parameters().copyFrom(before.parameters()));
        before.release();
        progress.line("all parameters train from epoch " + (epoch + 1) + " on");
    }

    private Batch nextBatch() throws IOException, InterruptedException {
        profiled.begin();
        return trainPipeline.next();
    }

    private String machine() {
        Device device = context.device();
        return device.kind() == Device.Kind.CPU
                ? device + ", " + context.threads() + " threads"
                : device + " (" + DeviceInfo.query(device).name() + ")";
    }

    private void warnOfMissingLibraries() {
        if (context.device().kind() == Device.Kind.CUDA
                && BackendInfo.query(Device.Kind.CUDA).lacks("cuDNN")) {
            progress.line("warning: cuDNN was not found, so convolutions run on slow reference kernels; install cuDNN 9"
                    + " (e.g. pip install nvidia-cudnn-cu12) and name its folder with -Dvelu.cuda.path or VELU_CUDA_PATH;"
                    + " velu info tells where it was looked for");
        }
    }

    /** Trains and evaluates one epoch, from the step where the state says. False if the process was asked to stop. */
    private boolean trainEpoch(int epoch, Interruption interruption) throws IOException, InterruptedException {
        long start = System.nanoTime();
        TrainingStep step = network.step();
        int stepsPerEpoch = trainPipeline.batchesPerEpoch();
        long totalSteps = (long) configuration.epochs() * stepsPerEpoch;
        trainPipeline.startEpoch(epoch, state.stepsInEpoch());
        progress.begin(
                "epoch " + (epoch + 1) + "/" + configuration.epochs(),
                state.stepsInEpoch(),
                stepsPerEpoch,
                configuration.batchSize());
        EpochSums sums = new EpochSums(state);
        CountQueue counts = new CountQueue(step.capacity());
        int steps = state.stepsInEpoch();
        float baseRate = configuration.baseLearningRate();
        float rate = 0;
        long allocated = 0;
        long thread = Thread.currentThread().threadId();
        step.nextStep((long) epoch * stepsPerEpoch + steps);
        for (Batch batch = nextBatch(); batch != null; batch = nextBatch()) {
            long globalStep = (long) epoch * stepsPerEpoch + steps;
            rate = (float) schedule.learningRate(baseRate, globalStep, stepsPerEpoch, totalSteps);
            long before = threads.getThreadAllocatedBytes(thread);
            submit(batch, rate);
            counts.add(batch.count());
            batch.release();
            steps++;
            // On the CPU this very step; on CUDA the one before it, so that the GPU always has the next one.
            boolean oldestIsDue = step.inFlight() == step.capacity();
            if (oldestIsDue) {
                awaitStep(epoch, counts, sums);
            }
            allocated += threads.getThreadAllocatedBytes(thread) - before;
            if (oldestIsDue) {
                progress.step(sums.steps(), sums.steps() - state.stepsInEpoch(), sums.loss(), sums.top1());
                recorder.step((long) epoch * stepsPerEpoch + sums.steps(), step.loss(), step.w2(), rate);
            }
            profiled.end(globalStep);
            if (interruption.requested() && steps < stepsPerEpoch) {
                awaitSteps(epoch, counts, sums);
                state = sums.progress(epoch, globalStep + 1, trainPipeline.skippedImages(), state);
                return false;
            }
        }
        awaitSteps(epoch, counts, sums);
        double trainSeconds = (System.nanoTime() - start) * 1e-9;
        int stepsHere = steps - state.stepsInEpoch();
        double waitSeconds = trainPipeline.waitNanos() * 1e-9;
        network.beginEvaluation();
        Evaluation evaluation = Evaluation.of(
                network.inference(), evalPipeline, progress, configuration.batchSize(), recorder.evaluation());
        requireFinite("evaluation loss", evaluation.loss(), epoch, (long) (epoch + 1) * stepsPerEpoch - 1);
        latest = new EpochMetrics(
                epoch + 1,
                (long) (epoch + 1) * stepsPerEpoch,
                rate,
                sums.loss(),
                sums.top1(),
                step.veluSites() == 0 ? 0 : sums.w2() / sums.steps() / step.veluSites(),
                configuration.lambdaOt() * sums.w2() / sums.steps(),
                evaluation.loss(),
                evaluation.top1(),
                evaluation.top5(),
                Math.max(state.skippedImages(), trainPipeline.skippedImages() + evaluation.skippedImages()),
                stepsHere * (double) configuration.batchSize() / trainSeconds,
                (System.nanoTime() - start) * 1e-9,
                waitSeconds);
        finishEpoch(evaluation);
        report(stepsHere == 0 ? 0 : allocated / stepsHere);
        return !interruption.requested() || epoch + 1 == configuration.epochs();
    }

    private void submit(Batch batch, float rate) {
        if (configuration.mixing().isNone()) {
            network.step().submit(batch.images(), batch.labels(), rate);
        } else {
            network.step().submit(batch.images(), batch.labels(), batch.otherLabels(), batch.shares(), rate);
        }
    }

    private void awaitSteps(int epoch, CountQueue counts, EpochSums sums) {
        while (network.step().inFlight() > 0) {
            awaitStep(epoch, counts, sums);
        }
    }

    private void awaitStep(int epoch, CountQueue counts, EpochSums sums) {
        TrainingStep step = network.step();
        step.await();
        long globalStep = (long) epoch * trainPipeline.batchesPerEpoch() + sums.steps();
        requireFinite("loss", step.loss(), epoch, globalStep);
        requireFinite("W2 term", step.w2(), epoch, globalStep);
        sums.add(counts.removeOldest(), step.loss(), step.top1(), step.w2());
    }

    private void requireFinite(String name, double value, int epoch, long globalStep) {
        if (Double.isFinite(value)) {
            return;
        }
        Path last = output.resolve(LAST);
        String good = Files.exists(last)
                ? "the last good checkpoint is " + last + " (epoch " + state.epochs() + ")"
                : "no checkpoint was written yet";
        throw new RunException("the " + name + " became " + value + " at step " + (globalStep + 1) + " (epoch "
                + (epoch + 1) + "); " + good + "; try a lower --lr, --warmup-steps or --clip-norm");
    }

    /** The metrics come first: a run killed between the two writes that line again when it is resumed. */
    private void finishEpoch(Evaluation evaluation) throws IOException, InterruptedException {
        boolean best = evaluation.top1() > state.bestTop1();
        state = state.next(latest, evaluation.top1(), configuration.earlyStoppingDelta());
        folder.append(latest);
        if (best) {
            checkpoints.saveBest(network);
        }
        List<SiteActivity> sites = SiteMeasurement.of(network, samplePipeline, measuredImages(), latest.epoch());
        network.endEvaluation();
        checkpoints.saveLast(network, state);
        recorder.epoch(latest, best, sites);
    }

    private void report(long allocatedPerStep) {
        progress.line(String.format(
                Locale.ROOT,
                "epoch %d/%d: train loss %.4f, top-1 %.2f %%, W2 %.4f | eval loss %.4f, top-1 %.2f %%, top-5 %.2f %%"
                        + " | %.0f images/s, %.1f s, waited %.2f s for images, %d bytes allocated per step%s",
                latest.epoch(),
                configuration.epochs(),
                latest.trainLoss(),
                100 * latest.trainTop1(),
                latest.w2(),
                latest.evalLoss(),
                100 * latest.evalTop1(),
                100 * latest.evalTop5(),
                latest.imagesPerSecond(),
                latest.seconds(),
                latest.decodeWaitSeconds(),
                allocatedPerStep,
                latest.skippedImages() > 0 ? ", skipped " + latest.skippedImages() + " corrupt images" : ""));
    }

    /** Bytes of device memory that the run laid out before its first step. */
    public long plannedBytes() {
        return context.allocatedBytes();
    }

    /** Trainable values of the network, without those of the activations. */
    public long parameterCount() {
        return network.parameterCount();
    }

    /** Fraction of the evaluation images classified correctly by the best checkpoint; -1 before the first evaluation. */
    public double bestTop1() {
        return state.bestTop1();
    }

    /** Epoch of the best evaluation, from 1; 0 before the first. */
    public int bestEpoch() {
        return state.bestEpoch();
    }

    /** Metrics of the last epoch of this process, or null. */
    public EpochMetrics latest() {
        return latest;
    }

    /** Descriptions of the first corrupt images that were skipped. */
    public List<String> skippedImages() {
        return trainPipeline.skippedDescriptions();
    }

    @Override
    public void close() {
        // All of them even if one fails, from the last to the first.
        try (progress;
                recorder;
                context;
                data) {
            network.close();
        }
    }
}
