package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SimilarityTest {
    private static final List<String> COMMANDS = List.of("info", "train", "eval", "predict");

    @Test
    void findsTheWordWithTheFewestTypingErrors() {
        assertThat(Similarity.nearest("pedict", COMMANDS)).hasValue("predict");
    }

    @Test
    void swappedLettersAreOneError() {
        assertThat(Similarity.distance("eavl", "eval")).isEqualTo(1);
    }

    @Test
    void findsTheWordThatWasBegun() {
        assertThat(Similarity.nearest("pre", COMMANDS)).hasValue("predict");
    }

    @Test
    void suggestsNothingForAnotherWord() {
        assertThat(Similarity.nearest("banana", COMMANDS)).isEmpty();
    }
}
