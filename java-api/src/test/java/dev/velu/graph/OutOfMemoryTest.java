package dev.velu.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.nn.Initializer;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.Activation;
import dev.velu.op.Pointwise;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** What is said when more memory is needed than any machine has. */
class OutOfMemoryTest {
    private static final TensorType HUGE = TensorType.f32(1L << 43);

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @Test
    void aPlanSaysWhatItNeedsWasAskedForAndIsFreeAndFreesWhatItHas() {
        Graph graph = new Graph();
        Value x = graph.input("x", TensorType.f32(1 << 18));
        Value y = graph.input("y", HUGE);
        graph.result("z", new Activation(Pointwise.RELU).apply(graph, x));
        new Activation(Pointwise.RELU).apply(graph, y);
        long before = context.allocatedBytes();
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> Plan.of(graph, new Parameters(), context))
                .withMessageMatching("the plan needs 67108866 MiB beside parameters and optimizer state"
                        + " \\(temporaries 33554432, inputs 33554433, results 1\\); use a smaller batch or image size:"
                        + " cpu is out of memory: 33554432 MiB are asked for, \\d+ of \\d+ MiB are free; .*")
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY));
        assertThat(context.allocatedBytes()).isEqualTo(before);
    }

    @Test
    void parametersSayWhatTheyNeed() {
        Parameters parameters = new Parameters();
        parameters.declare(
                new Parameter("w", HUGE, Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, new Initializer.Constant(0)));
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> parameters.allocate(context, true))
                .withMessageContaining("the parameters and their gradients need 67108864 MiB; use a smaller network")
                .satisfies(e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY));
    }
}
