package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportCommandTest {
    @TempDir
    Path folder;

    private void run() throws Exception {
        Files.writeString(
                folder.resolve("config.json"), RunConfiguration.defaults().toJson());
        Files.writeString(folder.resolve("metrics.jsonl"), "");
    }

    @Test
    void thePageIsWrittenIntoTheFolderAndNamed() throws Exception {
        run();
        CommandRun result = CommandRun.of("report", folder.toString());
        assertThat(result.status()).isZero();
        assertThat(result.out()).isEqualTo("wrote " + folder.resolve("report.html") + System.lineSeparator());
        assertThat(folder.resolve("report.html")).content().startsWith("<!DOCTYPE html>");
    }

    @Test
    void thePageCanBeWrittenElsewhere() throws Exception {
        run();
        Path page = folder.resolve("page.html");
        assertThat(CommandRun.of("report", folder.toString(), "--output", page.toString())
                        .status())
                .isZero();
        assertThat(page).exists();
        assertThat(folder.resolve("report.html")).doesNotExist();
    }

    @Test
    void aFolderOfSomethingElseIsAFailureWithOneLine() {
        CommandRun result = CommandRun.of("report", folder.toString());
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err().lines()).hasSize(1).first().asString().contains("no run in " + folder);
    }

    @Test
    void aFolderThatIsNotThereIsNamed() {
        CommandRun result = CommandRun.of("report", folder.resolve("x").toString());
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err()).contains("x is not a folder");
    }

    @Test
    void noFolderIsWrongUsage() {
        assertThat(CommandRun.of("report").status()).isEqualTo(2);
    }
}
