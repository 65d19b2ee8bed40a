package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.velu.trainer.run.RunException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonRunTest {
    private static final String VELU_0 = "resnet50-velu-shapes-0";
    private static final String RELU_0 = "resnet50-relu-shapes-0";
    private static final String VELU_1 = "resnet50-velu-shapes-1";
    private static final String RELU_1 = "resnet50-relu-shapes-1";

    @TempDir
    private Path temporary;

    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    private Path folder() {
        return temporary.resolve("out");
    }

    private static List<Cell> cells(Map<String, Object> settings, Long... seeds) {
        return Grid.of(List.of("resnet50"), List.of("velu", "relu"), List.of("shapes"), List.of(seeds))
                .cells(configuration -> configuration.with(settings));
    }

    private static List<Cell> four() {
        return cells(Map.of("epochs", 2), 0L, 1L);
    }

    private ComparisonRun run(List<Cell> cells, CellRunner runner) {
        return new ComparisonRun(
                folder(),
                cells,
                Judgement.usual(List.of("velu", "relu")),
                runner,
                new CompareProgress(new PrintStream(said, true, StandardCharsets.UTF_8), false),
                comparison -> {});
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(folder().resolve(ResultsFile.NAME));
    }

    @Test
    void trainsEveryCellOnceAndWritesALineForEach() throws Exception {
        FakeCells runner = new FakeCells().give(VELU_0, 0.9);

        Comparison comparison = run(four(), runner).run();

        assertThat(runner.ran).containsExactly(VELU_0, RELU_0, VELU_1, RELU_1);
        assertThat(comparison.finished()).isEqualTo(4);
        assertThat(lines()).hasSize(4);
        CellResult first = comparison.results().get(VELU_0);
        assertThat(first.last().evalTop1()).isEqualTo(0.9);
        assertThat(first.epochs()).isEqualTo(2);
        assertThat(first.seconds()).isEqualTo(4);
        assertThat(first.imagesPerSecond()).isEqualTo(100);
        assertThat(first.peakMemoryBytes()).isEqualTo(3 << 20);
        assertThat(folder()).isDirectoryContaining(file -> file.endsWith("table.md"));
        assertThat(said.toString(StandardCharsets.UTF_8))
                .contains("cell 1/4: " + VELU_0 + " finished: eval top-1 90.00 %", "about 12 s left for the others");
    }

    @Test
    void theSameAgainTrainsNothing() throws Exception {
        run(four(), new FakeCells()).run();
        List<String> before = lines();
        FakeCells again = new FakeCells();

        run(four(), again).run();

        assertThat(again.ran).isEmpty();
        assertThat(lines()).isEqualTo(before);
    }

    @Test
    void goesOnInTheCellInWhichItWasKilled() throws Exception {
        FakeCells killed = new FakeCells();
        killed.crashes.put(RELU_0, new IllegalStateException("killed"));
        assertThatThrownBy(() -> run(four(), killed).run()).hasMessage("killed");
        assertThat(lines()).hasSize(1);
        FakeCells again = new FakeCells();

        Comparison comparison = run(four(), again).run();

        assertThat(again.ran).containsExactly(RELU_0 + "+", VELU_1, RELU_1);
        assertThat(lines()).hasSize(4);
        assertThat(comparison.results().get(RELU_0).resumed()).isTrue();
        assertThat(comparison.results().get(VELU_1).resumed()).isFalse();
    }

    @Test
    void aCellThatFinishedAfterItsParentWasKilledIsNotTrainedAgain() throws Exception {
        run(four(), new FakeCells()).run();
        Files.write(folder().resolve(ResultsFile.NAME), lines().subList(0, 1));
        FakeCells again = new FakeCells();

        run(four(), again).run();

        assertThat(again.ran).isEmpty();
        assertThat(lines()).hasSize(4);
    }

    @Test
    void aFailedCellIsReportedAndTheOthersAreTrained() throws Exception {
        FakeCells runner = new FakeCells();
        runner.failures.put(RELU_0, "out of memory");

        Comparison comparison = run(four(), runner).run();

        assertThat(comparison.finished()).isEqualTo(3);
        assertThat(comparison.failures())
                .singleElement()
                .satisfies(result -> assertThat(result.error()).isEqualTo("out of memory"));
        assertThat(lines()).hasSize(4);
        assertThat(Files.readString(folder().resolve("table.md"))).contains("Failed cells", "out of memory");
    }

    @Test
    void aFailedCellIsTriedAgainTheNextTimeAndKeepsOneLine() throws Exception {
        FakeCells runner = new FakeCells();
        runner.failures.put(RELU_0, "out of memory");
        run(four(), runner).run();
        FakeCells again = new FakeCells();

        Comparison comparison = run(four(), again).run();

        assertThat(again.ran).containsExactly(RELU_0);
        assertThat(comparison.failures()).isEmpty();
        assertThat(lines()).hasSize(4);
    }

    @Test
    void whenAskedToStopItSavesTheCellAndSaysHowToGoOn() throws Exception {
        FakeCells runner = new FakeCells();
        ComparisonRun run = run(four(), runner);
        runner.during = run::stop;

        Comparison comparison = run.run();

        assertThat(runner.ran).containsExactly(VELU_0);
        assertThat(comparison.results().get(VELU_0).status()).isEqualTo(CellStatus.INTERRUPTED);
        assertThat(said.toString(StandardCharsets.UTF_8))
                .contains("stopped with 0 of 4 cells finished; go on with: velu compare --resume --output " + folder());
        FakeCells again = new FakeCells();
        run(four(), again).run();
        assertThat(again.ran).containsExactly(VELU_0 + "+", RELU_0, VELU_1, RELU_1);
    }

    @Test
    void refusesOtherSettingsInTheSameFolderAndNamesThem() throws Exception {
        run(four(), new FakeCells()).run();

        assertThatThrownBy(() ->
                        run(cells(Map.of("epochs", 3), 0L, 1L), new FakeCells()).run())
                .isInstanceOf(RunException.class)
                .hasMessageContaining("epochs: 3 != 2")
                .hasMessageContaining("another --output");
        assertThat(lines()).hasSize(4);
    }

    @Test
    void theGridMayGrowButNotShrink() throws Exception {
        run(four(), new FakeCells()).run();
        FakeCells more = new FakeCells();

        Comparison comparison =
                run(cells(Map.of("epochs", 2), 0L, 1L, 2L), more).run();

        assertThat(more.ran).containsExactly("resnet50-velu-shapes-2", "resnet50-relu-shapes-2");
        assertThat(comparison.finished()).isEqualTo(6);
        assertThatThrownBy(() -> run(four(), new FakeCells()).run())
                .isInstanceOf(RunException.class)
                .hasMessageContaining("resnet50-velu-shapes-2 and 1 others");
    }

    @Test
    void refusesAFolderInWhichAnotherIsAtWork() {
        FakeCells runner = new FakeCells();
        runner.during =
                () -> assertThatThrownBy(() -> run(four(), new FakeCells()).run())
                        .isInstanceOf(RunException.class)
                        .hasMessageContaining("another velu compare is at work in " + folder());

        assertThat(catchThrowable(() -> run(four(), runner).run())).isNull();
        assertThat(runner.ran).hasSize(4);
    }

    @Test
    void aDamagedLineIsNamed() throws Exception {
        run(four(), new FakeCells()).run();
        Files.writeString(folder().resolve(ResultsFile.NAME), "{\"cell\": \"" + VELU_0 + "\"}\n{\"cell");

        assertThatThrownBy(() -> run(four(), new FakeCells()).run())
                .isInstanceOf(RunException.class)
                .hasMessageContaining("results.jsonl, line 2 is damaged");
    }

    @Test
    void refusesTheFolderOfATrainingRun() throws Exception {
        Files.createDirectories(folder());
        Files.writeString(folder().resolve("config.json"), "{}");

        assertThatThrownBy(() -> run(four(), new FakeCells()).run())
                .isInstanceOf(RunException.class)
                .hasMessageContaining("holds a training run");
    }
}
