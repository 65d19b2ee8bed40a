package dev.velu.trainer.compare;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;

/** What trains a cell. */
public interface CellRunner {
    /**
     * Trains a cell from where its folder says, and waits for it. That the cell fails is a result, not an exception.
     *
     * @param folder of the cell's run, there already
     * @param resume whether an earlier attempt left a checkpoint
     * @param lines takes what the run says, line by line
     * @throws IOException if it cannot even be started
     */
    CellEnd run(Cell cell, Path folder, boolean resume, Consumer<String> lines)
            throws IOException, InterruptedException;

    /** Asks the cell that is running, if any, to save and end. Called by another thread. */
    void stop();
}
