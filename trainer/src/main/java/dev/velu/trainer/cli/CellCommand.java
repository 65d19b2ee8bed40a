package dev.velu.trainer.cli;

import dev.velu.trainer.compare.CellEnd;
import dev.velu.trainer.compare.CellFolder;
import dev.velu.trainer.compare.CellStatus;
import dev.velu.trainer.compare.OutputLock;
import dev.velu.trainer.compare.ParentWatch;
import dev.velu.trainer.compare.PeakMemory;
import dev.velu.trainer.run.FolderLock;
import dev.velu.trainer.run.ProgressDisplay;
import dev.velu.trainer.run.RunConfiguration;
import dev.velu.trainer.run.RunException;
import dev.velu.trainer.run.TrainingRun;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * {@code velu cell}: what a process of {@code velu compare} runs. It trains what {@code config.json} in the folder says, goes on where a
 * checkpoint is, and ends with the process that started it.
 */
@Command(
        name = "cell",
        hidden = true,
        sortOptions = false,
        description = "Trains one cell of a comparison in its folder; 'velu compare' starts it.",
        footerHeading = "%nExamples%n",
        footer = "  velu cell comparison/cells/resnet50-velu-mnist-0")
final class CellCommand implements Callable<Integer> {
    /** How long a process that lost its parent may take to save. */
    private static final int PATIENCE_SECONDS = 150;

    @Parameters(paramLabel = "DIR", description = "The folder of the cell.")
    Path folder;

    @Override
    @SuppressWarnings("try") // The lock is held, not spoken to.
    public Integer call() throws IOException, InterruptedException {
        ParentWatch.start();
        try (FolderLock lock = OutputLock.await(folder, PATIENCE_SECONDS)) {
            train();
        }
        return Main.DONE;
    }

    private void train() throws IOException, InterruptedException {
        RunConfiguration configuration = configuration();
        boolean resume = Files.exists(folder.resolve(TrainingRun.LAST));
        if (!resume) {
            new CellFolder(folder).clear();
        }
        try (ProgressDisplay progress = Terminal.progress();
                TrainingRun run = new TrainingRun(configuration, folder, resume, progress)) {
            TrainingRun.Outcome outcome = run.run();
            new CellFolder(folder)
                    .writeEnd(new CellEnd(
                            outcome == TrainingRun.Outcome.COMPLETED ? CellStatus.OK : CellStatus.INTERRUPTED,
                            null,
                            run.plannedBytes(),
                            PeakMemory.ofThisProcess(),
                            run.parameterCount()));
        }
    }

    private RunConfiguration configuration() throws IOException {
        Path file = folder.resolve("config.json");
        try {
            return RunConfiguration.fromJson(
                    new String(Files.readAllBytes(file), StandardCharsets.UTF_8), file.toString());
        } catch (IllegalArgumentException e) {
            throw new RunException(e.getMessage(), e);
        }
    }
}
