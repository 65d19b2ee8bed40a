package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
    @TempDir
    Path folder;

    @Test
    void replacesTheContentAndLeavesNothingBesideIt() throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "old and longer");
        WholeFile.write(file, "n\u00e9w");
        assertThat(file).hasContent("n\u00e9w");
        assertThat(folder).isDirectoryContaining(path -> path.equals(file));
        assertThat(folder.toFile().list()).hasSize(1);
    }

    @Test
    void keepsTheOldContentIfTheNewCannotBeWritten() throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "old");
        // A folder with something in it stands where the new file would be written.
        Files.createDirectories(folder.resolve("config.json.part").resolve("in the way"));
        assertThatThrownBy(() -> WholeFile.write(file, "new")).isInstanceOf(IOException.class);
        assertThat(file).hasContent("old");
    }
}
