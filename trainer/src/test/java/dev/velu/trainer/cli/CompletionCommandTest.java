package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompletionCommandTest {
    @TempDir
    Path folder;

    @Test
    void completesTheNamesOfCommands() throws Exception {
        assertThat(completions("velu", "su")).containsExactly("summary");
    }

    @Test
    void completesTheOptionsOfACommand() throws Exception {
        assertThat(completions("velu", "train", "--batch")).containsExactly("--batch-size");
    }

    @Test
    void completesTheCommandsOfACommand() throws Exception {
        assertThat(completions("velu", "bench", "")).contains("step", "inference", "ops", "calls");
    }

    @Test
    void zshGetsTheSameScript() {
        assertThat(CommandRun.of("completion", "zsh").out())
                .isEqualTo(CommandRun.of("completion", "bash").out())
                .contains("bashcompinit");
    }

    @Test
    void anUnknownShellIsNamed() {
        CommandRun run = CommandRun.of("completion", "fish");

        assertThat(run.status()).isEqualTo(Main.WRONG_USAGE);
        assertThat(run.err()).contains("'fish'", "bash, zsh");
    }

    /** What bash offers for the last word of a command line. */
    private List<String> completions(String... words) throws IOException, InterruptedException {
        Path bash = Path.of("/bin/bash");
        assumeTrue(Files.isExecutable(bash), "there is no " + bash);
        Path script = Files.writeString(
                folder.resolve("velu_completion"),
                CommandRun.of("completion", "bash").out());
        String ask = "compopt() { :; }; . '" + script + "'; COMP_WORDS=(" + quoted(words) + "); COMP_CWORD="
                + (words.length - 1) + "; _complete_velu; printf '%s\\n' \"${COMPREPLY[@]}\"";
        Process process = new ProcessBuilder(bash.toString(), "-c", ask)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String offered = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        return offered.lines().toList();
    }

    private static String quoted(String... words) {
        return "'" + String.join("' '", words) + "'";
    }
}
