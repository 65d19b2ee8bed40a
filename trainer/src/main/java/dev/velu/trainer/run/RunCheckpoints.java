package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.TensorFileException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The checkpoints of a run: {@link TrainingRun#BEST} and {@link TrainingRun#LAST}. */
final class RunCheckpoints {
    private final RunConfiguration configuration;
    private final List<String> classNames;
    private final int size;
    private final NormalizeImage normalization;
    private final Path output;
    private final Context context;

    /**
     * @param classNames of the data
     * @param size height and width of the images in pixels
     */
    RunCheckpoints(
            RunConfiguration configuration,
            List<String> classNames,
            int size,
            NormalizeImage normalization,
            Path output,
            Context context) {
        this.configuration = configuration;
        this.classNames = classNames;
        this.size = size;
        this.normalization = normalization;
        this.output = output;
        this.context = context;
    }

    /** Whether there is one to resume from. */
    boolean canResume() {
        return Files.exists(output.resolve(TrainingRun.LAST));
    }

    /** Writes the network as it is evaluated. */
    void saveBest(RunNetwork network) throws SafeTensorsException {
        describe(null).write(output.resolve(TrainingRun.BEST), network.parameters(), List.of(), context);
    }

    /** Writes everything that the run goes on from. */
    void saveLast(RunNetwork network, RunProgress progress) throws SafeTensorsException {
        describe(progress)
                .write(
                        output.resolve(TrainingRun.LAST),
                        network.parameters(),
                        network.states(progress.steps()),
                        context);
    }

    private Checkpoint describe(RunProgress progress) {
        return new Checkpoint(configuration, classNames, size, normalization.mean(), normalization.std(), progress);
    }

    /**
     * How far the run had come that is to be resumed.
     *
     * @param stepsPerEpoch of the data as it is now
     * @throws RunException if it was another run, or of other data
     */
    RunProgress progress(int stepsPerEpoch) throws TensorFileException {
        Path checkpoint = output.resolve(TrainingRun.LAST);
        Checkpoint found;
        try (SafeTensorsFile file = SafeTensorsFile.open(checkpoint)) {
            found = Checkpoint.describe(file);
        }
        List<String> differences = configuration.differences(found.configuration());
        if (!differences.isEmpty()) {
            throw new RunException("cannot resume " + checkpoint + " with other settings: "
                    + String.join("; ", differences) + "; drop these flags or start in another --output");
        }
        if (!found.classNames().equals(classNames)) {
            throw new RunException("cannot resume " + checkpoint + ": it was trained on the classes "
                    + found.classNames() + ", the data has " + classNames);
        }
        RunProgress progress = found.progress();
        if (progress == null) {
            throw new RunException(checkpoint + " holds no optimizer state to resume from");
        }
        if (progress.stepsInEpoch() >= stepsPerEpoch || progress.epochs() > configuration.epochs()) {
            throw new RunException("cannot resume " + checkpoint + ": it stopped in epoch " + (progress.epochs() + 1)
                    + " after step " + progress.stepsInEpoch() + ", the run has " + configuration.epochs()
                    + " epochs of " + stepsPerEpoch + " steps; is this the same data?");
        }
        return progress;
    }

    /** Fills the network and what trains it from the checkpoint whose {@link #progress} this is. */
    void load(RunNetwork network, RunProgress progress) throws TensorFileException {
        try (SafeTensorsFile file = SafeTensorsFile.open(output.resolve(TrainingRun.LAST))) {
            Checkpoint.loadNetwork(file, network.parameters(), context);
            Checkpoint.loadStates(file, network.states(progress.steps()), context);
        }
    }
}
