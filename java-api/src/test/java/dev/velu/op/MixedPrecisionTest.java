package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
import dev.velu.tensor.DType;
import dev.velu.tensor.TensorType;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a graph of BF16 activations and F32 parameters is made of. */
class MixedPrecisionTest {
    private static List<Node> casts(Graph graph) {
        return graph.nodes().stream()
                .filter(node -> node.operation() instanceof Cast.Forward)
                .toList();
    }

    @Test
    void everyActivationAndItsGradientIsBfloat16AndEveryParametersGradientIsFloat32() {
        SmallNetwork network = new SmallNetwork(DType.BF16);
        Fusion.fuse(network.graph(), true);
        Map<Parameter, Value> gradients = Autodiff.differentiate(network.graph(), network.loss());
        assertThat(gradients).hasSize(7);
        gradients.forEach((parameter, gradient) -> assertThat(gradient.type()).isEqualTo(parameter.type()));
        for (Node node : network.graph().nodes()) {
            for (Value output : node.outputs()) {
                if (output != null && output.type().shape().rank() == 4 && output.storage() != Value.Storage.GRADIENT) {
                    assertThat(output.type().dtype()).as(node.toString()).isIn(DType.BF16, DType.U8);
                }
            }
        }
    }

    @Test
    void aWeightIsCastOnceAndItsGradientIsNotCastBack() {
        SmallNetwork network = new SmallNetwork(DType.BF16);
        // The images, three weights, and the logits on their way back to float32.
        assertThat(casts(network.graph())).hasSize(5);
        Autodiff.differentiate(network.graph(), network.loss());
        // The gradient of the logits.
        assertThat(casts(network.graph())).hasSize(6);
    }

    @Test
    void float32NeedsNoCasts() {
        SmallNetwork network = new SmallNetwork(DType.F32);
        Autodiff.differentiate(network.graph(), network.loss());
        assertThat(casts(network.graph())).isEmpty();
    }

    @Test
    void fusionJoinsTheSameOperationsInBothPrecisions() {
        SmallNetwork wide = new SmallNetwork(DType.F32);
        SmallNetwork narrow = new SmallNetwork(DType.BF16);
        Fusion.fuse(wide.graph(), true);
        Fusion.fuse(narrow.graph(), true);
        assertThat(narrow.graph().nodes())
                .hasSize(wide.graph().nodes().size() + casts(narrow.graph()).size());
        assertThat(narrow.graph().nodes()).noneMatch(node -> node.operation() instanceof Velu.Forward);
    }

    @Test
    void aChainOfBfloat16TensorsNeedsHalfTheMemory() {
        assertThat(memoryOfAChain(DType.BF16)).isEqualTo(memoryOfAChain(DType.F32) / 2);
    }

    private static long memoryOfAChain(DType dtype) {
        Graph graph = new Graph();
        Value image = graph.input(
                "x", new TensorType(dtype, TensorType.f32(2, 8, 8, 64).shape()));
        Value x = new Activation(Pointwise.SILU).apply(graph, image);
        Value pooled = MaxPool2d.of(2, 2, 0).apply(graph, x, false);
        Value y = new Add().apply(graph, AvgPool2d.of(2, 2).apply(graph, x), pooled);
        graph.result("y", new GlobalAvgPool().apply(graph, y));
        return Plan.memory(graph).temporaries();
    }

    @Test
    void gradientsOfBothDtypesAreSummedInFloat32() {
        Graph graph = new Graph();
        Value x =
                graph.input("x", new TensorType(DType.BF16, TensorType.f32(2, 3).shape()));
        Value labels = graph.input(
                "labels", new TensorType(DType.I32, TensorType.f32(2).shape()));
        Parameter parameter = new Parameter(
                "weight", TensorType.f32(3, 3), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN, SmallNetwork.RANDOM);
        Value weight = new Cast(DType.BF16).apply(graph, graph.parameter(parameter));
        // The same cast weight as the matrix of one product and the data of another.
        Value twice = new Linear().apply(graph, new Linear().apply(graph, x, weight, null), weight, null);
        Value square = new Linear().apply(graph, weight, weight, null);
        Value logits = new Linear().apply(graph, twice, square, null);
        Map<Parameter, Value> gradients =
                Autodiff.differentiate(graph, new SoftmaxCrossEntropy(0).apply(graph, logits, labels));
        assertThat(gradients.get(parameter).type()).isEqualTo(parameter.type());
    }

    @Test
    void aWeightIsNotCastForDataThatIsNoFloatingNumbers() {
        Graph graph = new Graph();
        Value pixels = graph.input(
                "pixels", new TensorType(DType.U8, TensorType.f32(1, 4, 4, 3).shape()));
        Value weight = graph.input("weight", TensorType.f32(2, 3, 3, 3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Conv2d.of(1, 1).apply(graph, pixels, weight, null))
                .withMessage("conv2d_forward: x has dtype U8, expected F32 or BF16");
    }

    @Test
    void aCpuWithoutBfloat16RefusesItWithTheRemedy() {
        SmallNetwork network = new SmallNetwork(DType.BF16);
        try (Context context = Context.open(Device.cpu(), 1, Isa.BASELINE)) {
            network.parameters().allocate(context, true);
            assertThatExceptionOfType(VeluException.class)
                    .isThrownBy(() -> Plan.of(network.graph(), network.parameters(), context)
                            .close())
                    .matches(e -> e.status() == Status.UNSUPPORTED)
                    .withMessageContaining("computes in bfloat16")
                    .withMessageContaining("use float32");
        }
    }
}
