package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.run.TrainingRun;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Cells in real processes, on images so few and small that an epoch takes a moment. */
@Timeout(120)
class CellProcessTest {
    /** More epochs than any test waits for. */
    private static final int ENDLESS = 100_000;

    @TempDir
    private Path temporary;

    private static Cell cell(int epochs, Map<String, Object> others) {
        return Grid.of(List.of("mobilenet_v2"), List.of("relu"), List.of("shapes"), List.of(0L))
                .cells(configuration -> configuration
                        .with(Map.of(
                                "epochs",
                                epochs,
                                "size",
                                16,
                                "batch_size",
                                4,
                                "limit_train",
                                8,
                                "limit_eval",
                                4,
                                "threads",
                                1))
                        .with(others))
                .getFirst();
    }

    private CellFolder folder(Cell cell) throws IOException {
        CellFolder folder = CellFolder.of(temporary, cell);
        folder.prepare(cell);
        return folder;
    }

    private static CellProcess runner() {
        return new CellProcess(List.of("cell"), false);
    }

    /** Ends the child by {@code end} as soon as it has finished an epoch. */
    private static CellEnd endedAfterAnEpoch(Cell cell, CellFolder folder, CellProcess runner, Runnable end)
            throws Exception {
        AtomicBoolean once = new AtomicBoolean();
        return runner.run(cell, folder.path(), false, line -> {
            if (line.contains("eval loss") && once.compareAndSet(false, true)) {
                end.run();
            }
        });
    }

    /** By its program: of a command as long as this one the system does not tell the arguments. */
    private static ProcessHandle child() {
        return ProcessHandle.current()
                .children()
                .filter(process -> process.info()
                        .command()
                        .filter(command -> command.endsWith("java"))
                        .isPresent())
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aKilledCellIsAFailureAndTheNextProcessGoesOnFromItsCheckpoint() throws Exception {
        Cell cell = cell(ENDLESS, Map.of());
        CellFolder folder = folder(cell);

        CellEnd killed = endedAfterAnEpoch(cell, folder, runner(), () -> child().destroyForcibly());

        assertThat(killed.status()).isEqualTo(CellStatus.FAILED);
        assertThat(killed.error()).contains("killed (signal 9)");
        int epochs = folder.history().size();
        assertThat(epochs).isPositive();
        assertThat(folder.hasCheckpoint()).isTrue();

        CellProcess runner = runner();
        CellEnd stopped = endedAfterAnEpoch(cell, folder, runner, runner::stop);

        assertThat(stopped.status()).isEqualTo(CellStatus.INTERRUPTED);
        assertThat(folder.history()).hasSizeGreaterThan(epochs);
        assertThat(folder.history().get(epochs).epoch()).isEqualTo(epochs + 1);
    }

    @Test
    void anErrorOfTheRunIsItsOneLine() throws Exception {
        Cell cell = cell(1, Map.of("weights", temporary.resolve("none.pth").toString()));

        CellEnd end = runner().run(cell, folder(cell).path(), false, line -> {});

        assertThat(end.status()).isEqualTo(CellStatus.FAILED);
        assertThat(end.error()).contains("none.pth").doesNotContain("velu:").hasLineCount(1);
    }

    @Test
    void aProcessWithoutAParentSavesAndEnds() throws Exception {
        Cell cell = cell(ENDLESS, Map.of());
        CellFolder folder = folder(cell);
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dvelu.library.path=" + System.getProperty("velu.library.path", ""),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.velu.trainer.cli.Main",
                        "cell",
                        folder.path().toString())
                .redirectErrorStream(true)
                .redirectOutput(temporary.resolve("log").toFile())
                .start();
        try {
            while (process.isAlive() && folder.history().isEmpty()) {
                Thread.sleep(50);
            }

            // What a kill of the parent does to the pipe.
            process.getOutputStream().close();

            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(folder.path().resolve(TrainingRun.LAST)).exists();
            assertThat(Files.readString(temporary.resolve("log"))).contains("saved " + folder.path());
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    @SuppressWarnings("try") // To close the pipe is what the parent's end looks like.
    void theWatchOfTheParentWaitsForTheEndOfThePipe() throws Exception {
        CountDownLatch gone = new CountDownLatch(1);
        try (PipedOutputStream parent = new PipedOutputStream();
                PipedInputStream pipe = new PipedInputStream(parent)) {
            ParentWatch.start(pipe, gone::countDown);
            parent.write('x');
            parent.flush();
            assertThat(gone.await(100, TimeUnit.MILLISECONDS)).isFalse();

            parent.close();

            assertThat(gone.await(10, TimeUnit.SECONDS)).isTrue();
        }
    }
}
