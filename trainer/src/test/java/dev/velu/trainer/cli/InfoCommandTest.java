package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;

class InfoCommandTest {
    @Test
    void saysOfEveryBackendWhatItFoundOrWhyNot() {
        CommandRun run = CommandRun.of("info", "--json");

        assertThat(run.status()).isZero();
        JsonNode info = run.json();
        assertThat(info.path("native_library").path("available").asBoolean()).isTrue();
        assertThat(info.path("backends").findValuesAsText("kind")).containsExactly("cpu", "cuda");
        for (JsonNode backend : info.path("backends")) {
            boolean available = backend.path("available").asBoolean();
            JsonNode found = available ? backend.path("libraries").path(0) : backend.path("reason");
            assertThat(found.asText()).isNotBlank();
        }
        assertThat(info.path("backends")
                        .path(0)
                        .path("devices")
                        .path(0)
                        .path("cores")
                        .asInt())
                .isPositive();
    }

    @Test
    void tellsPeopleTheSame() {
        CommandRun run = CommandRun.of("info");

        assertThat(run.status()).isZero();
        assertThat(run.out()).contains("native library", "oneDNN", "cuda");
    }
}
