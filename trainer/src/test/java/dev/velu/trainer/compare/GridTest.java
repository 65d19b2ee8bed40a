package dev.velu.trainer.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.run.RunConfiguration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class GridTest {
    private static List<Cell> cells(Grid grid) {
        return grid.cells(UnaryOperator.identity());
    }

    @Test
    void hasEveryCombinationOnceWithAllOfTheFirstSeedFirst() {
        List<Cell> cells = cells(
                Grid.of(List.of("resnet50", "vit_b_16"), List.of("velu", "relu"), List.of("shapes"), List.of(3L, 7L)));

        assertThat(cells.stream().map(Cell::id))
                .containsExactly(
                        "resnet50-velu-shapes-3",
                        "resnet50-relu-shapes-3",
                        "vit_b_16-velu-shapes-3",
                        "vit_b_16-relu-shapes-3",
                        "resnet50-velu-shapes-7",
                        "resnet50-relu-shapes-7",
                        "vit_b_16-velu-shapes-7",
                        "vit_b_16-relu-shapes-7");
        assertThat(cells.getLast().configuration())
                .isEqualTo(RunConfiguration.defaults()
                        .with(Map.of("model", "vit_b_16", "activation", "relu", "data", "shapes", "seed", 7L)));
    }

    @Test
    void theMoreSpecialSettingCountsAndWhatIsSaidBesideTheGridMost() {
        Grid grid = new Grid(
                List.of("resnet50", "vit_b_16"),
                List.of("velu", "relu"),
                List.of("shapes"),
                List.of(0L),
                Map.of("epochs", 1, "batch_size", 1, "size", 10, "momentum", 0.1),
                Map.of("vit_b_16", Map.of("batch_size", 2, "size", 20, "momentum", 0.2)),
                Map.of("relu", Map.of("size", 30, "momentum", 0.3)),
                Map.of("shapes", Map.of("momentum", 0.4)));

        List<Cell> cells = grid.cells(configuration -> configuration.with(Map.of("epochs", 9)));

        RunConfiguration first = cells.getFirst().configuration();
        RunConfiguration last = cells.getLast().configuration();
        assertThat(List.of(first.epochs(), first.batchSize(), first.size())).containsExactly(9, 1, 10);
        assertThat(List.of(last.epochs(), last.batchSize(), last.size())).containsExactly(9, 2, 30);
        assertThat(last.momentum()).isEqualTo(0.4f);
    }

    @Test
    void aCellsNameIsSafeInAPathAndTellsFoldersOfOneNameApart() {
        List<Cell> cells = cells(Grid.of(
                List.of("resnet50"),
                List.of("velu"),
                List.of("folder:/a b/../ü x", "folder:/other/ü x/"),
                List.of(-1L)));

        assertThat(cells.stream().map(Cell::id))
                .allMatch(id -> id.matches("[A-Za-z0-9_.-]+"))
                .doesNotHaveDuplicates();
        assertThat(cells.getFirst().id())
                .startsWith("resnet50-velu-folder___x_")
                .endsWith("--1");
        assertThat(Cell.of(cells.getFirst().configuration()).id())
                .isEqualTo(cells.getFirst().id());
    }

    @Test
    void theHashIsThatOfTheOutcomeNotOfTheMachine() {
        Cell cell = cells(Grid.of(List.of("resnet50"), List.of("velu"), List.of("shapes"), List.of(0L)))
                .getFirst();

        assertThat(Cell.of(cell.configuration().with(Map.of("data_dir", "/elsewhere")))
                        .configHash())
                .isEqualTo(cell.configHash());
        assertThat(Cell.of(cell.configuration().with(Map.of("epochs", 99))).configHash())
                .isNotEqualTo(cell.configHash());
    }

    @Test
    void refusesWhatIsNamedTwiceOrUnknown() {
        assertThatThrownBy(() -> Grid.of(List.of("resnet50"), List.of("velu", "velu"), List.of("shapes"), List.of(0L)))
                .hasMessage("activation velu is named twice; name it once");
        assertThatThrownBy(() -> cells(Grid.of(List.of("resnet50"), List.of("tanh"), List.of("shapes"), List.of(0L))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("unknown activation 'tanh'");
        assertThatThrownBy(() -> cells(Grid.of(List.of("resnet5"), List.of("velu"), List.of("shapes"), List.of(0L))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("resnet5");
        assertThatThrownBy(() -> cells(Grid.of(List.of("resnet50"), List.of("velu"), List.of("mnits"), List.of(0L))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("mnits");
    }

    @Test
    void readsListsAndRangesOfSeeds() {
        assertThat(SeedRange.parse("0,3-5, -2")).containsExactly(0L, 3L, 4L, 5L, -2L);
        assertThatThrownBy(() -> SeedRange.parse("0,x"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'x' is no seed");
        assertThatThrownBy(() -> SeedRange.parse("4-0"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("goes down");
        assertThatThrownBy(() -> SeedRange.parse("0-999999999999999999"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("more than");
    }
}
