package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.cli.SummaryCommand.LayerLine;
import dev.velu.trainer.cli.SummaryCommand.StageLine;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayerTreeTest {
    private static final long[] SMALL = {1, 4};
    private static final long[] LARGE = {1, 8};
    private static final List<LayerLine> LAYERS = List.of(
            new LayerLine("stem", "Conv2d", SMALL, 1, 10),
            new LayerLine("body.0.a", "Conv2d", SMALL, 2, 20),
            new LayerLine("body.0.a", "ReLU", SMALL, 0, 0),
            new LayerLine("body.1.block.x", "Conv2d", SMALL, 4, 40),
            new LayerLine("body.1.block.y", "Conv2d", SMALL, 8, 80),
            new LayerLine("body.end", "ReLU", SMALL, 0, 0),
            new LayerLine("heads.head", "Linear", SMALL, 16, 160));

    private static List<String> names(int depth) {
        return LayerTree.rows(LAYERS, List.of(), depth).stream()
                .map(row -> "  ".repeat(row.level()) + row.name())
                .toList();
    }

    @Test
    void modulesStandBelowTheOnesThatContainThem() {
        assertThat(names(Integer.MAX_VALUE))
                .containsExactly(
                        "stem", "body", "  0", "    a", "    a", "  1.block", "    x", "    y", "  end", "heads.head");
    }

    @Test
    void modulesBelowTheDepthAreCountedInstead() {
        assertThat(names(2)).containsExactly("stem", "body", "  0", "  1.block", "  end", "heads.head");
        assertThat(LayerTree.rows(LAYERS, List.of(), 2))
                .extracting(LayerTree.Row::type)
                .containsExactly("Conv2d", "", "2 modules", "2 modules", "ReLU", "Linear");
        assertThat(names(1)).containsExactly("stem", "body", "heads.head");
    }

    @Test
    void aContainingModuleHasTheSumsOfItsModules() {
        LayerTree.Row body = LayerTree.rows(LAYERS, List.of(), 3).get(1);

        assertThat(body.params()).isEqualTo(14);
        assertThat(body.macs()).isEqualTo(140);
    }

    @Test
    void outputOfAContainingModuleIsThatOfTheStageOrElseOfItsLastModule() {
        List<LayerTree.Row> rows = LayerTree.rows(LAYERS, List.of(new StageLine("body.1.block", LARGE)), 3);

        assertThat(rows)
                .filteredOn(row -> row.name().equals("1.block"))
                .extracting(LayerTree.Row::output)
                .containsExactly(LARGE);
        assertThat(rows)
                .filteredOn(row -> row.name().equals("0"))
                .extracting(LayerTree.Row::output)
                .containsExactly(SMALL);
    }
}
