package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TextTest {
    @Test
    void columnsAreAsWideAsTheirWidestCell() {
        StringWriter text = new StringWriter();
        new Table(Table.Align.LEFT, Table.Align.RIGHT)
                .row("name", "count")
                .rule()
                .row("a", 7)
                .print(new PrintWriter(text, true));

        assertThat(text.toString().lines()).containsExactly("name  count", "-----------", "a         7");
    }

    @ParameterizedTest
    @CsvSource({"0, 0 B", "1023, 1023 B", "1024, 1.0 KiB", "102236160, 97.5 MiB", "9223372036854775807, 8.0 EiB"})
    void bytesAreInTheLargestUnitThatFits(long bytes, String expected) {
        assertThat(ByteCount.human(bytes)).isEqualTo(expected);
    }
}
