package dev.velu.trainer.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Columns of text, each as wide as its widest cell, two blanks apart. */
final class Table {
    /** On which side the cells of a column are flush. */
    enum Align {
        LEFT,
        RIGHT
    }

    private final List<Align> aligns;
    private final List<List<String>> rows = new ArrayList<>();

    Table(Align... aligns) {
        this.aligns = List.of(aligns);
    }

    Table row(Object... cells) {
        if (cells.length != aligns.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + aligns.size() + " columns");
        }
        rows.add(List.of(cells).stream().map(String::valueOf).toList());
        return this;
    }

    /** A line under what was added so far. */
    Table rule() {
        rows.add(List.of());
        return this;
    }

    void print(PrintWriter out) {
        int[] widths = new int[aligns.size()];
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        int total = 2 * (widths.length - 1);
        for (int width : widths) {
            total += width;
        }
        for (List<String> row : rows) {
            out.println(row.isEmpty() ? "-".repeat(total) : line(row, widths));
        }
    }

    private String line(List<String> row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < row.size(); i++) {
            String padding = " ".repeat(widths[i] - row.get(i).length());
            line.append(i == 0 ? "" : "  ");
            line.append(aligns.get(i) == Align.LEFT ? row.get(i) + padding : padding + row.get(i));
        }
        return line.toString().stripTrailing();
    }
}
