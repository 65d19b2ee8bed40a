package dev.velu.peers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class PeerProgramTest {
    private static List<String> answers(String... requests) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (PeerProgram program = new PeerProgram(1)) {
            program.serve(
                    new BufferedReader(new StringReader(String.join("\n", requests))),
                    new PrintStream(out, true, StandardCharsets.UTF_8));
        }
        return out.toString(StandardCharsets.UTF_8).lines().toList();
    }

    @Test
    void whatIsNoRequestIsAnsweredByAnErrorAndTheNextOneIsRead() throws IOException {
        assertThat(answers("hello", "{\"dance\": {}}", "{\"run\": 0}"))
                .hasSize(3)
                .allSatisfy(answer -> assertThat(answer).startsWith("{\"error\":\""))
                .last()
                .asString()
                .contains("number of runs 0 is not positive");
    }

    @Test
    void anUnknownKindOfWorkIsAnErrorThatNamesTheKnownOnes() throws IOException {
        assertThat(answers("{\"load\": {\"kind\": \"cooking\"}}"))
                .singleElement()
                .asString()
                .contains("cooking")
                .contains("training")
                .contains("inference");
    }

    @Test
    void nothingRunsBeforeItIsPrepared() throws IOException {
        assertThat(answers("{\"run\": 1}", "{\"prepare\": {}}"))
                .containsExactly(
                        "{\"error\":\"nothing is prepared; send 'prepare' first\"}",
                        "{\"error\":\"no library is loaded; send 'load' first\"}");
    }

    @Test
    void closeEndsItWithoutAnAnswer() throws IOException {
        assertThat(answers("{\"close\": {}}", "{\"run\": 1}")).isEmpty();
    }
}
