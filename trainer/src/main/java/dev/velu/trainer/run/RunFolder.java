package dev.velu.trainer.run;

import dev.velu.trainer.report.ActivityFile;
import dev.velu.trainer.report.EvaluationRecord;
import dev.velu.trainer.report.RunEnvironment;
import dev.velu.trainer.report.RunReport;
import dev.velu.trainer.tensorboard.EventFile;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The folder of a run's files: made and checked before anything is computed, tidied up if the run comes to nothing. */
final class RunFolder {
    static final String CONFIG = "config.json";
    static final String METRICS = "metrics.jsonl";

    private static final Logger LOG = LoggerFactory.getLogger(RunFolder.class);
    private static final Pattern UNFINISHED = Pattern.compile("checkpoint-.*\\.(\\d{1,18})-\\d+\\.part");
    /** What a new run moves aside. */
    private static final List<String> OF_A_RUN = List.of(
            CONFIG,
            METRICS,
            TrainingRun.LAST,
            TrainingRun.BEST,
            StepProfiler.REPORT,
            StepProfiler.TRACE,
            RunEnvironment.FILE,
            EvaluationRecord.FILE,
            ActivityFile.FILE,
            RunReport.FILE);

    private final Path path;
    private final boolean resume;
    private final ProgressDisplay progress;
    private final MetricsFile metrics;
    private final boolean isNew;
    private boolean prepared;

    /**
     * How large the checkpoints are to be.
     *
     * @param network bytes of the network alone
     * @param whole bytes of all that a run resumes from
     * @param epochs epochs that are left to train
     */
    record Sizes(long network, long whole, int epochs) {}

    /** @param resume whether the folder's run is to go on */
    RunFolder(Path path, boolean resume, ProgressDisplay progress) {
        this.path = path;
        this.resume = resume;
        this.progress = progress;
        metrics = new MetricsFile(path.resolve(METRICS));
        isNew = Files.notExists(path);
    }

    Path file(String name) {
        return path.resolve(name);
    }

    /**
     * Creates the folder and makes sure that it can be written to.
     *
     * @param epochs that are finished: their metrics are kept
     * @throws RunException if it cannot; names the reason
     */
    void prepare(RunConfiguration configuration, int epochs, Sizes sizes) {
        try {
            Files.createDirectories(path);
            removeUnfinishedFiles();
            requireSpace(sizes);
            if (!resume) {
                moveAsidePreviousRun();
            }
            prepared = true;
            WholeFile.write(file(CONFIG), configuration.toJson() + "\n");
            metrics.keep(epochs);
        } catch (IOException e) {
            throw new RunException(
                    "cannot write to the output folder " + path + ": " + reason(e)
                            + "; choose another with --output or free some space",
                    e);
        }
    }

    /** Adds the line of an epoch. */
    void append(EpochMetrics epoch) {
        try {
            metrics.append(epoch);
        } catch (IOException e) {
            throw new RunException("cannot write " + file(METRICS) + ": " + e.getMessage(), e);
        }
    }

    static String reason(IOException e) {
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
    private void requireSpace(Sizes sizes) throws IOException {
        if (sizes.epochs() < 1) {
            return;
        }
        boolean first = !resume || Files.notExists(file(TrainingRun.LAST));
        long needed = sizes.whole();
        if (first && sizes.epochs() > 1) {
            needed += sizes.whole();
        }
        if (!resume || Files.notExists(file(TrainingRun.BEST))) {
            needed += sizes.network();
        }
        FileStore disk = Files.getFileStore(path);
        if (disk.isReadOnly()) {
            throw new RunException("cannot write to the output folder " + path
                    + ": the file system is read-only; choose another with --output");
        }
        // File systems that cannot tell say 0.
        if (disk.getTotalSpace() > 0 && disk.getUsableSpace() < needed) {
            throw new RunException(String.format(
                    Locale.ROOT,
                    "the output folder %s has %d MiB of free space, the checkpoints need %d MiB; choose another with"
                            + " --output or free some space",
                    path,
                    disk.getUsableSpace() >> 20,
                    (needed >> 20) + 1));
        }
    }

    /** A process killed while it wrote a checkpoint leaves a file NAME.PID-N.part behind. */
    private void removeUnfinishedFiles() throws IOException {
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(path, "checkpoint-*.part")) {
            for (Path part : parts) {
                Matcher matcher = UNFINISHED.matcher(part.getFileName().toString());
                if (matcher.matches()
                        && ProcessHandle.of(Long.parseLong(matcher.group(1))).isEmpty()) {
                    Files.delete(part);
                }
            }
        }
    }

    private List<Path> eventFiles() throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> events = Files.newDirectoryStream(path, EventFile.PREFIX + "*")) {
            events.forEach(files::add);
        }
        return files;
    }

    /** A new run in the folder of an old one must not lose the old one's results. */
    private void moveAsidePreviousRun() throws IOException {
        List<Path> files = new ArrayList<>(eventFiles());
        OF_A_RUN.stream().map(this::file).filter(Files::exists).forEach(files::add);
        if (files.isEmpty()) {
            return;
        }
        int number = 1;
        while (Files.exists(file("previous-" + number))) {
            number++;
        }
        Path previous = Files.createDirectory(file("previous-" + number));
        for (Path file : files) {
            Files.move(file, previous.resolve(file.getFileName()));
        }
        progress.line("moved the run that was in " + path + " to " + previous);
    }

    /**
     * After a failure: removes what says only that a run was begun, if there is no more. The failure that led here is the one to
     * report.
     */
    void removeTraces() {
        if (resume) {
            return;
        }
        try {
            if (Files.exists(file(TrainingRun.LAST))
                    || Files.exists(file(StepProfiler.REPORT))
                    || Files.exists(file(METRICS)) && Files.size(file(METRICS)) > 0) {
                return;
            }
            if (prepared) {
                Files.deleteIfExists(file(METRICS));
                Files.deleteIfExists(file(CONFIG));
                Files.deleteIfExists(file(RunEnvironment.FILE));
                for (Path events : eventFiles()) {
                    Files.delete(events);
                }
            }
            if (isNew) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            LOG.debug("cannot tidy up {}", path, e);
        }
    }
}
