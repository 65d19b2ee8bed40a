package dev.velu.trainer.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.Test;

class CountQueueTest {
    @Test
    void givesTheOldestFirst() {
        CountQueue counts = new CountQueue(2);
        counts.add(3);
        counts.add(5);
        assertThat(counts.removeOldest()).isEqualTo(3);
        counts.add(7);
        assertThat(counts.removeOldest()).isEqualTo(5);
        assertThat(counts.removeOldest()).isEqualTo(7);
    }

    @Test
    void holdsAsManyAsThereAreStepsUnderWay() {
        CountQueue counts = new CountQueue(1);
        assertThatIllegalStateException().isThrownBy(counts::removeOldest);
        counts.add(1);
        assertThatIllegalStateException().isThrownBy(() -> counts.add(1));
    }
}
