package dev.velu.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ReadmeTest {
    @Test
    void theReadmeShowsTheCodeOfTheFirstExample() throws IOException {
        String source = Files.readString(Path.of("src/main/java/dev/velu/examples/VeluOnTensors.java"));
        String shown = source.substring(source.indexOf("// begin\n") + 9, source.indexOf("        // end"))
                .stripTrailing()
                .stripIndent();

        assertThat(Files.readString(Path.of("../README.md"))).contains("```java\n" + shown + "\n```");
    }
}
