package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import dev.velu.op.Activation;
import dev.velu.op.EmulatedCuda;
import dev.velu.op.Pointwise;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class RecordedGraphEmulatedCudaTest {
    private static final Activation RELU = new Activation(Pointwise.RELU);

    @AutoClose
    private final Context context = EmulatedCuda.open();

    private final Tensor x = Tensor.allocate(context, DType.F32, 4);
    private final Tensor y = Tensor.allocate(context, DType.F32, 4);

    private RecordedGraph relu() {
        return RecordedGraph.record(context, () -> RELU.forward(context, x, y));
    }

    @Test
    void recordingDoesNotRun() {
        x.set(1f, 2f, 3f, 4f);
        try (RecordedGraph graph = relu()) {
            assertThat(y.toFloatArray()).containsOnly(0);
            graph.launch();
            assertThat(y.toFloatArray()).containsExactly(1, 2, 3, 4);
        }
    }

    @Test
    void everyLaunchReadsItsMemoryAnew() {
        try (RecordedGraph graph = relu()) {
            for (int i = 1; i <= 3; i++) {
                x.set((float) i, -i, 0, 2 * i);
                graph.launch();
                assertThat(y.toFloatArray()).containsExactly(i, 0, 0, 2 * i);
            }
        }
    }

    @Test
    void aFailureWhileRecordingEndsTheRecording() {
        assertThatIllegalStateException()
                .isThrownBy(() -> RecordedGraph.record(context, () -> {
                    throw new IllegalStateException("odd");
                }))
                .withMessage("odd");
        x.set(1f, -2f, 3f, -4f);
        RELU.forward(context, x, y);
        assertThat(y.toFloatArray()).containsExactly(1, 0, 3, 0);
    }

    @Test
    void whatCannotBeRecordedIsNamedAndTheContextGoesOn() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> RecordedGraph.record(context, () -> context.allocate(64)))
                .withMessageContaining("velu_memory_allocate")
                .withMessageContaining("recorded");
        assertThatNoException().isThrownBy(() -> context.free(context.allocate(64)));
    }

    @Test
    void launchingAfterCloseIsAnIllegalState() {
        RecordedGraph graph = relu();
        graph.launch();
        graph.close();
        graph.close();
        assertThatIllegalStateException().isThrownBy(graph::launch).withMessageContaining("this graph is closed");
    }

    @Test
    void closingTheContextReleasesGraphsAndEvents() {
        RecordedGraph graph = relu();
        Event event = Event.create(context);
        graph.launch();
        event.record(Stream.COMPUTE);
        context.close();
        assertThatIllegalStateException().isThrownBy(graph::launch).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(event::synchronize).withMessageContaining("closed");
        assertThatNoException().isThrownBy(graph::close);
        assertThatNoException().isThrownBy(event::close);
    }
}
