package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DataCommandTest {
    @Test
    void listsEveryDataSetAsJson() {
        CommandRun run = CommandRun.of("data", "list", "--json");

        assertThat(run.status()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.json().findValuesAsText("name")).contains("shapes", "mnist", "folder:PATH", "zip:PATH");
    }

    @Test
    void listsEveryDataSetForPeople() {
        CommandRun run = CommandRun.of("data", "list");

        assertThat(run.status()).isZero();
        assertThat(run.out()).contains("shapes", "mnist", "folder:PATH", "zip:PATH");
    }
}
