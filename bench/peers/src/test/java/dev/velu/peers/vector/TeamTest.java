package dev.velu.peers.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class TeamTest {
    @Test
    void everyMemberDoesEveryPieceOfWorkOnce() throws InterruptedException {
        AtomicIntegerArray done = new AtomicIntegerArray(3);
        try (Team team = new Team(3)) {
            for (int i = 0; i < 200; i++) {
                team.run(done::incrementAndGet);
                if (i % 50 == 0) {
                    Thread.sleep(2); // so that members sleep, too
                }
            }
        }
        assertThat(done).hasToString("[200, 200, 200]");
    }

    @Test
    void aFailureOfAnyMemberIsTheCallers() {
        try (Team team = new Team(2)) {
            assertThatThrownBy(() -> team.run(member -> {
                        if (member == 1) {
                            throw new ArithmeticException("no");
                        }
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("ArithmeticException: no");
            team.run(member -> {});
        }
    }
}
