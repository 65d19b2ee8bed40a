package dev.velu.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.models.Network;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.op.VeluParameters;
import dev.velu.optim.Optimizer;
import dev.velu.trainer.bench.ActivationBench;
import dev.velu.trainer.bench.CallBench;
import dev.velu.trainer.bench.Matrix;
import dev.velu.trainer.bench.OperationBench;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.Rounds;
import dev.velu.trainer.run.RunConfiguration;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Single kernels, operations and calls beside those of the peers, in processes of their own as in {@code velu bench}. */
class SameOperationsTest {
    private static final PeerModule MODULE = new PeerModule(
            System.getProperty("java.class.path"), Path.of("target", "djl").toAbsolutePath());

    /** The measurement itself fails where a peer computes something else. */
    @Test
    void everybodysVeluIsOurs() {
        List<Comparison> comparisons = new ArrayList<>();
        ActivationBench.Effort effort = new ActivationBench.Effort(1, 0, 0);
        try (Context context =
                        Context.open(Device.cpu(), ContextOptions.defaults().withThreads(2));
                ActivationBench bench = new ActivationBench(
                        context, MODULE, List.of(ActivationBench.Peer.values()), effort, what -> {})) {
            bench.measure(
                    new Matrix(33, 65),
                    List.of(
                            new ActivationBench.Constants("released", VeluParameters.released()),
                            new ActivationBench.Constants("curve", VeluParameters.curve())),
                    velu -> {
                        for (ActivationBench.Peer peer : ActivationBench.Peer.values()) {
                            comparisons.add(velu.with(peer));
                        }
                    },
                    other -> comparisons.add(other.comparison()));
        }
        assertThat(comparisons)
                .hasSize(2 * (2 * 2 + 2))
                .allSatisfy(one -> assertThat(one.ratio()).isEqualTo(one.ours() / one.peer()));
    }

    @ParameterizedTest
    @CsvSource({"resnet50, velu, 32", "mobilenet_v2, relu6, 32", "efficientnet_b3, silu, 32", "vit_b_16, gelu, 32"})
    void whatANetworkIsMadeOfHasItsCounterpartInLibtorch(String model, String activation, int size) {
        RunConfiguration settings = RunConfiguration.defaults()
                .with(Map.of("model", model, "activation", activation, "batch_size", 2, "device", "cpu"));
        Set<String> alone = new TreeSet<>();
        Set<String> compared = new TreeSet<>();
        try (Context context =
                        Context.open(Device.cpu(), ContextOptions.defaults().withThreads(2));
                OperationBench bench = new OperationBench(context, MODULE, new Rounds(1), 0)) {
            for (OperationBench.Case operation : smallOnes(settings, size)) {
                OperationBench.Measured measured = bench.measure(operation);
                if (measured != null) {
                    assertThat(measured.ours().median()).isPositive();
                    (measured.libtorch() == null ? alone : compared)
                            .add(operation.operation().name());
                }
            }
        }
        assertThat(alone).isSubsetOf("normalize_image_forward", "top_k_count", "copy_rows_forward");
        assertThat(compared).contains("linear_backward_weights", "softmax_cross_entropy_backward", "optimizer_step");
    }

    /** One case of every operation: the first. */
    private static List<OperationBench.Case> smallOnes(RunConfiguration settings, int size) {
        Parameters parameters = new Parameters();
        Network network = Network.build(settings.network(10, size), parameters, 2, true, NormalizeImage.imageNet());
        Set<String> names = new TreeSet<>();
        List<OperationBench.Case> cases = new ArrayList<>();
        try (Context context = Context.open(Device.cpu(), settings.contextOptions())) {
            parameters.allocate(context, true);
            Optimizer optimizer = new Optimizer(parameters, settings.algorithm(), settings.clip(), context);
            new TrainingStep(network, context, optimizer, settings.labelSmoothing()).close();
            cases.addAll(OperationBench.distinct(network.graph().nodes()));
            cases.add(OperationBench.update(settings.algorithm(), 1000));
        }
        cases.removeIf(one -> !names.add(one.operation().name()));
        return cases;
    }

    @Test
    void callsByJniDoWhatOursDo() {
        CallBench.Effort effort = new CallBench.Effort(1, 1, 10, 1);
        try (CallBench bench = new CallBench(MODULE, effort)) {
            CallBench.Result result = bench.measure();
            assertThat(bench.version()).startsWith("JavaCPP");
            assertThat(result.costs())
                    .extracting(CallBench.Cost::way)
                    .containsExactly("FFM", "FFM critical", "JavaCPP JNI", "FFM", "java-api, eager", "JavaCPP JNI");
            assertThat(result.comparisons()).hasSize(4).allSatisfy(one -> {
                assertThat(one.unit()).isEqualTo("ns");
                assertThat(one.ratio()).isCloseTo(one.peer() / one.ours(), within(1e-9));
            });
        }
    }
}
