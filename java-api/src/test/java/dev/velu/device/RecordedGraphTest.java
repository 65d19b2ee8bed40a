package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class RecordedGraphTest {
    @Test
    void theCpuHasNoGraphs() {
        AtomicBoolean called = new AtomicBoolean();
        try (Context context = Context.open(Device.cpu(), 1, Isa.AUTO)) {
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> RecordedGraph.record(context, () -> called.set(true)))
                    .withMessageContaining("velu_graph_begin: the cpu backend has no implementation")
                    .satisfies(e -> assertThat(e.status()).isEqualTo(Status.UNSUPPORTED));
        }
        assertThat(called).isFalse();
    }
}
