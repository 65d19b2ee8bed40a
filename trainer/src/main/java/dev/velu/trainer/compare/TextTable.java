package dev.velu.trainer.compare;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A table of texts, for the terminal and for Markdown.
 *
 * @param labels how many of the first columns hold names, which are flush left; the others hold numbers
 * @param bold for every row the columns whose text stands out
 */
public record TextTable(List<String> header, int labels, List<List<String>> rows, List<List<Integer>> bold) {

    static TextTable of(List<String> header, int labels, List<List<String>> rows) {
        return new TextTable(
                header,
                labels,
                rows,
                rows.stream().map(row -> List.<Integer>of()).toList());
    }

    /** As Markdown, with a line end behind every row. */
    String markdown() {
        StringBuilder text =
                new StringBuilder(line(header.stream().map(TextTable::escaped).toList()));
        text.append('|');
        for (int i = 0; i < header.size(); i++) {
            text.append(i < labels ? "---|" : "--:|");
        }
        text.append('\n');
        for (int i = 0; i < rows.size(); i++) {
            List<String> row = rows.get(i);
            List<Integer> strong = bold.get(i);
            text.append(line(IntStream.range(0, row.size())
                    .mapToObj(j -> strong.contains(j) ? "**" + escaped(row.get(j)) + "**" : escaped(row.get(j)))
                    .toList()));
        }
        return text.toString();
    }

    private static String line(List<String> cells) {
        return cells.stream().collect(Collectors.joining(" | ", "| ", " |\n"));
    }

    /** Names of folders and messages may hold what Markdown takes for markup. */
    private static String escaped(String text) {
        return text.replaceAll("([\\\\|*<>`\\[\\]])", "\\\\$1").replaceAll("\\p{Cntrl}", " ");
    }
}
