package dev.velu.trainer.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class ResidentSetTest {
    private static final long BYTES = 64 << 20;

    @Test
    void thePeakCountsWhatIsFreedAgain() {
        ResidentSet before = ResidentSet.of(ProcessHandle.current().pid());
        try (Arena arena = Arena.ofConfined()) {
            // More by a sixteenth: what else the JVM holds comes and goes by some pages meanwhile.
            arena.allocate(BYTES + BYTES / 16).fill((byte) 1);
        }

        assertThat(before.growth()).isBetween(BYTES, 3 * BYTES);
    }

    @Test
    void aProcessThatIsNotThereIsAnError() {
        assertThatThrownBy(() -> ResidentSet.of(Integer.MAX_VALUE))
                .isInstanceOf(PeerException.class)
                .hasMessageContaining("memory of process " + Integer.MAX_VALUE);
    }
}
