package dev.velu.trainer.run;

import com.sun.management.ThreadMXBean;
import dev.velu.device.BackendInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.models.InferenceStep;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.Optimizer;
import dev.velu.optim.Schedule;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.trainer.data.Augmentation;
import dev.velu.trainer.data.Batch;
import dev.velu.trainer.data.BatchPipeline;
import dev.velu.trainer.profile.ProfileReport;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

    private static final Logger LOG = LoggerFactory.getLogger(TrainingRun.class);
    private static final Pattern UNFINISHED = Pattern.compile("checkpoint-.*\\.(\\d{1,18})-\\d+\\.part");
    private static final String CONFIG = "config.json";
    private static final String METRICS = "metrics.jsonl";

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
    private final Parameters parameters = new Parameters();
    private final NormalizeImage normalization;
    private final Optimizer optimizer;
    private final TrainingStep step;
    private final InferenceStep inference;
    private final BatchPipeline trainPipeline;
    private final BatchPipeline evalPipeline;
    private final MetricsFile metrics;
    private final Schedule schedule;
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final boolean resume;
    private RunProgress state = RunProgress.start();
    private boolean prepared;
    private EpochMetrics latest;
    private Profiling profiling;
    /** While some steps are still to be profiled. */
    private StepProfiler profiler;

    /**
     * What is to be profiled.
     *
     * @param steps positive
     * @param ready takes the report as soon as the steps are recorded
     */
    private record Profiling(int steps, Consumer<ProfileReport> ready) {}

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
        this.metrics = new MetricsFile(output.resolve(METRICS));
        this.schedule = configuration.learningRateSchedule();
        Device device = Device.parse(configuration.device());
        boolean opened = false;
        this.context = Context.open(device, configuration.contextOptions());
        RunData openData = null;
        try {
            openData = RunData.open(configuration);
            data = openData;
            size = data.size();
            normalization = data.normalization();
            int batch = configuration.batchSize();
            NetworkSpec spec = configuration.network(data.train().classNames().size(), size);
            Network training = Network.build(spec, parameters, batch, true, normalization, configuration.seed());
            Network evaluation = Network.build(spec, parameters, batch, false, normalization);
            parameters.allocate(context, true);
            parameters.initialize(configuration.seed());
            if (configuration.weights() != null && !(resume && Files.exists(output.resolve(LAST)))) {
                Weights.load(Path.of(configuration.weights()), training, context)
                        .lines()
                        .forEach(progress::line);
            }
            optimizer = new Optimizer(parameters, configuration.algorithm(), configuration.clip(), context);
            step = new TrainingStep(training, context, optimizer, configuration.labelSmoothing());
            inference = new InferenceStep(evaluation, context);
            // After the network: batches that it has no memory for are refused before any are laid out.
            trainPipeline = data.own(BatchPipeline.builder(data.train())
                    .batchSize(batch)
                    .imageSize(size)
                    .augmentation(new Augmentation(
                            configuration.cropPadding(),
                            configuration.flip() && data.train().horizontalFlip()))
                    .shuffle(true)
                    .seed(configuration.seed())
                    .dropLast(true)
                    .decodeThreads(RunData.decodeThreads(configuration))
                    .corruptImages(RunData.corruptImages(configuration))
                    .memory(context::allocateHost, context::freeHost)
                    .build());
            evalPipeline = data.own(data.evaluationPipeline(configuration, batch, context));
            if (resume) {
                resumeFrom(output.resolve(LAST));
            }
            opened = true;
        } finally {
            if (!opened) {
                closeAfterFailure(openData);
            }
        }
    }

    private void closeAfterFailure(RunData openData) {
        if (openData != null) {
            openData.close();
        }
        context.close();
    }

    private void resumeFrom(Path checkpoint) throws TensorFileException {
        if (!Files.exists(checkpoint)) {
            progress.line("no " + LAST + " in " + output + " yet: starting from the beginning");
            return;
        }
        try (SafeTensorsFile file = SafeTensorsFile.open(checkpoint)) {
            Checkpoint found = Checkpoint.describe(file);
            var differences = configuration.differences(found.configuration());
            if (!differences.isEmpty()) {
                throw new RunException("cannot resume " + checkpoint + " with other settings: "
                        + String.join("; ", differences) + "; drop these flags or start in another --output");
            }
            if (!found.classNames().equals(data.train().classNames())) {
                throw new RunException("cannot resume " + checkpoint + ": it was trained on the classes "
                        + found.classNames() + ", the data has " + data.train().classNames());
            }
            if (found.progress() == null) {
                throw new RunException(checkpoint + " holds no optimizer state to resume from");
            }
            if (found.progress().stepsInEpoch() >= trainPipeline.batchesPerEpoch()
                    || found.progress().epochs() > configuration.epochs()) {
                throw new RunException("cannot resume " + checkpoint + ": it stopped in epoch "
                        + (found.progress().epochs() + 1) + " after step "
                        + found.progress().stepsInEpoch() + ", the run has " + configuration.epochs() + " epochs of "
                        + trainPipeline.batchesPerEpoch() + " steps; is this the same data?");
            }
            Checkpoint.loadNetwork(file, parameters, context);
            Checkpoint.loadOptimizer(file, optimizer, context);
            state = found.progress();
        }
    }

    /**
     * Lets some of the steps of {@link #run} be timed call by call, after the first ones; writes {@link StepProfiler#REPORT}
     * and {@link StepProfiler#TRACE} as soon as they are. What is learned stays the same.
     *
     * @param steps positive; of a shorter run all
     * @param ready takes the report when the files are written
     */
    public void profile(int steps, Consumer<ProfileReport> ready) {
        if (steps < 1) {
            throw new IllegalArgumentException("number of steps " + steps + " to profile is not positive");
        }
        profiling = new Profiling(steps, ready);
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
        boolean newFolder = Files.notExists(output);
        boolean ended = false;
        try {
            Outcome outcome = train();
            ended = true;
            return outcome;
        } finally {
            if (!ended && !resume) {
                removeTraces(newFolder);
            }
        }
    }

    /** Removes what says only that a run was begun. The failure that led here is the one to report. */
    private void removeTraces(boolean newFolder) {
        Path lines = output.resolve(METRICS);
        try {
            if (Files.exists(output.resolve(LAST))
                    || Files.exists(output.resolve(StepProfiler.REPORT))
                    || Files.exists(lines) && Files.size(lines) > 0) {
                return;
            }
            if (prepared) {
                Files.deleteIfExists(lines);
                Files.deleteIfExists(output.resolve(CONFIG));
            }
            if (newFolder) {
                Files.deleteIfExists(output);
            }
        } catch (IOException e) {
            LOG.debug("cannot tidy up {}", output, e);
        }
    }

    private Outcome train() throws IOException, InterruptedException {
        prepareFolder();
        if (state.epochs() >= configuration.epochs()) {
            progress.line("the run in " + output + " has already finished its " + state.epochs() + " epochs");
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
        warnOfMissingLibraries();
        if (state.steps() > 0) {
            progress.line("resuming after epoch " + state.epochs() + ", step " + state.stepsInEpoch());
        }
        startProfiling();
        try (Interruption interruption = new Interruption()) {
            for (int epoch = state.epochs(); epoch < configuration.epochs(); epoch++) {
                if (!trainEpoch(epoch, interruption)) {
                    finishProfiling();
                    save(LAST, true);
                    progress.line("stopped after step " + state.steps() + "; saved " + output.resolve(LAST)
                            + "; continue with: velu train --resume --output " + output);
                    return Outcome.INTERRUPTED;
                }
            }
        }
        return Outcome.COMPLETED;
    }

    private void startProfiling() {
        if (profiling != null) {
            long left = (long) configuration.epochs() * trainPipeline.batchesPerEpoch()
                    - (long) state.epochs() * trainPipeline.batchesPerEpoch()
                    - state.stepsInEpoch();
            profiler = new StepProfiler(
                    step,
                    trainPipeline,
                    StepProfiler.conditions(configuration, size, context),
                    (int) Math.min(profiling.steps(), left),
                    left,
                    output);
        }
    }

    private Batch nextBatch() throws IOException, InterruptedException {
        if (profiler != null) {
            profiler.beginStep();
        }
        return trainPipeline.next();
    }

    private void endStep(long globalStep) {
        if (profiler != null && profiler.endStep(globalStep)) {
            finishProfiling();
        }
    }

    /** Reports what is recorded, which is less than was asked for if the run stops. */
    private void finishProfiling() {
        if (profiler == null) {
            return;
        }
        StepProfiler ended = profiler;
        profiler = null;
        try (ended) {
            ProfileReport report = ended.write();
            if (report != null) {
                progress.line("profiled " + report.steps() + " steps: " + output.resolve(StepProfiler.REPORT) + ", and "
                        + output.resolve(StepProfiler.TRACE) + " for https://ui.perfetto.dev");
                profiling.ready().accept(report);
            }
        } catch (IOException e) {
            throw new RunException("cannot write the profile to " + output + ": " + reason(e), e);
        }
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

    /** Creates the folder and makes sure that it can be written to, before anything is computed. */
    private void prepareFolder() throws IOException {
        try {
            Files.createDirectories(output);
            removeUnfinishedFiles();
            requireSpace();
            if (!resume) {
                moveAsidePreviousRun();
            }
            prepared = true;
            WholeFile.write(output.resolve(CONFIG), configuration.toJson() + "\n");
            metrics.keep(state.epochs());
        } catch (IOException e) {
            throw new RunException(
                    "cannot write to the output folder " + output + ": " + reason(e)
                            + "; choose another with --output or free some space",
                    e);
        }
    }

    private static String reason(IOException e) {
        return switch (e) {
            case FileAlreadyExistsException exists -> exists.getFile() + " is not a folder";
            case AccessDeniedException denied -> "permission denied for " + denied.getFile();
            case FileSystemException other ->
                other.getReason() != null ? other.getReason() : other.getClass().getSimpleName();
            default -> e.getMessage();
        };
    }

    /**
     * A disk too small for the checkpoints is found before training, not after the first epoch. A checkpoint is written beside
     * the one that it replaces.
     */
    private void requireSpace() throws IOException {
        if (state.epochs() >= configuration.epochs()) {
            return;
        }
        long network = parameters.all().stream()
                .mapToLong(parameter -> parameter.type().bytes())
                .sum();
        long whole = network
                + optimizer.counters().byteSize()
                + optimizer.states().stream().mapToLong(MemorySegment::byteSize).sum();
        boolean first = !resume || Files.notExists(output.resolve(LAST));
        long needed = whole;
        if (first && state.epochs() + 1 < configuration.epochs()) {
            needed += whole;
        }
        if (!resume || Files.notExists(output.resolve(BEST))) {
            needed += network;
        }
        FileStore disk = Files.getFileStore(output);
        if (disk.isReadOnly()) {
            throw new RunException("cannot write to the output folder " + output
                    + ": the file system is read-only; choose another with --output");
        }
        // File systems that cannot tell say 0.
        if (disk.getTotalSpace() > 0 && disk.getUsableSpace() < needed) {
            throw new RunException(String.format(
                    Locale.ROOT,
                    "the output folder %s has %d MiB of free space, the checkpoints need %d MiB; choose another with"
                            + " --output or free some space",
                    output,
                    disk.getUsableSpace() >> 20,
                    (needed >> 20) + 1));
        }
    }

    /** A process killed while it wrote a checkpoint leaves a file NAME.PID-N.part behind. */
    private void removeUnfinishedFiles() throws IOException {
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(output, "checkpoint-*.part")) {
            for (Path part : parts) {
                Matcher matcher = UNFINISHED.matcher(part.getFileName().toString());
                if (matcher.matches()
                        && ProcessHandle.of(Long.parseLong(matcher.group(1))).isEmpty()) {
                    Files.delete(part);
                }
            }
        }
    }

    /** A new run in the folder of an old one must not lose the old one's results. */
    private void moveAsidePreviousRun() throws IOException {
        List<Path> files = Stream.of(CONFIG, METRICS, LAST, BEST, StepProfiler.REPORT, StepProfiler.TRACE)
                .map(output::resolve)
                .filter(Files::exists)
                .toList();
        if (files.isEmpty()) {
            return;
        }
        int number = 1;
        while (Files.exists(output.resolve("previous-" + number))) {
            number++;
        }
        Path previous = Files.createDirectory(output.resolve("previous-" + number));
        for (Path file : files) {
            Files.move(file, previous.resolve(file.getFileName()));
        }
        progress.line("moved the run that was in " + output + " to " + previous);
    }

    /** Trains and evaluates one epoch, from the step where the state says. False if the process was asked to stop. */
    private boolean trainEpoch(int epoch, Interruption interruption) throws IOException, InterruptedException {
        long start = System.nanoTime();
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
            step.submit(batch.images(), batch.labels(), rate);
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
            }
            endStep(globalStep);
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
        inference.refresh();
        Evaluation evaluation = Evaluation.of(inference, evalPipeline, progress, configuration.batchSize());
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

    private void awaitSteps(int epoch, CountQueue counts, EpochSums sums) {
        while (step.inFlight() > 0) {
            awaitStep(epoch, counts, sums);
        }
    }

    private void awaitStep(int epoch, CountQueue counts, EpochSums sums) {
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
    private void finishEpoch(Evaluation evaluation) throws IOException {
        boolean best = evaluation.top1() > state.bestTop1();
        state = new RunProgress(
                latest.epoch(),
                0,
                latest.steps(),
                0,
                0,
                0,
                0,
                latest.skippedImages(),
                best ? evaluation.top1() : state.bestTop1(),
                best ? latest.epoch() : state.bestEpoch());
        try {
            metrics.append(latest);
        } catch (IOException e) {
            throw new RunException("cannot write " + output.resolve(METRICS) + ": " + e.getMessage(), e);
        }
        if (best) {
            save(BEST, false);
        }
        save(LAST, true);
    }

    private void save(String file, boolean toResume) throws SafeTensorsException {
        new Checkpoint(
                        configuration,
                        data.train().classNames(),
                        size,
                        normalization.mean(),
                        normalization.std(),
                        toResume ? state : null)
                .write(output.resolve(file), parameters, toResume ? optimizer : null, context);
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
                context;
                data;
                inference) {
            step.close();
        }
    }
}
