package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Plan;
import dev.velu.graph.PlannedCall;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class InferenceStepTest {
    private static final int BATCH = 2;
    private static final int SIZE = 32;
    private static final int CLASSES = 3;

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static Network network(String architecture, ActivationFunction activation) {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named(architecture),
                CLASSES,
                SIZE,
                activation,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0);
        return Network.build(spec, new Parameters(), BATCH, false, NormalizeImage.imageNet());
    }

    private Network initialized() {
        Network network = network("resnet50", null);
        network.parameters().allocate(context, false);
        network.parameters().initialize(1);
        return network;
    }

    private InferenceStep step() {
        return new InferenceStep(initialized(), context);
    }

    private static MemorySegment images() {
        byte[] pixels = new byte[BATCH * SIZE * SIZE * 3];
        new Random(3).nextBytes(pixels);
        return MemorySegment.ofArray(pixels);
    }

    /** Operations that every batch runs, by name. */
    private Map<String, Long> operations(Network network) {
        TrainingGraph.inference(network, context);
        network.parameters().allocate(context, false);
        try (Plan plan = Plan.of(network.graph(), network.parameters(), context)) {
            return plan.calls().stream().collect(Collectors.groupingBy(PlannedCall::operation, Collectors.counting()));
        }
    }

    @Test
    void batchNormSumAndReluOfResnetAreInItsConvolutions() {
        assertThat(operations(network("resnet50", Pointwise.RELU)))
                .containsEntry("conv2d_packed_forward", 53L)
                .doesNotContainKeys("batch_norm_forward_inference", "add_forward", "activation_forward");
    }

    @Test
    void veluFollowsTheConvolutionThatTookTheNorm() {
        assertThat(operations(network("resnet50", VeluParameters.released())))
                .containsEntry("conv2d_packed_forward", 53L)
                .containsEntry("velu_forward", 49L)
                .doesNotContainKeys("batch_norm_forward_inference", "add_forward");
    }

    @Test
    void aNormBeforeAConvolutionStaysAndDenseBlocksAreStillNotCopied() {
        assertThat(operations(network("densenet121", null)))
                .containsEntry("conv2d_packed_forward", 120L)
                .containsEntry("batch_norm_forward_inference", 62L)
                .doesNotContainKeys("concat", "conv2d_forward");
    }

    @Test
    void aProjectionAfterSqueezeAndExcitationIsStillOneOperationWithIt() {
        assertThat(operations(network("efficientnet_b3", null)))
                .containsEntry("scaled_linear_forward", 26L)
                .containsEntry("batch_norm_forward_inference", 26L)
                .doesNotContainKeys("channel_scale_forward", "conv2d_forward");
    }

    @Test
    void packedParametersAreCounted() {
        Network network = network("resnet50", null);
        long weights = network.layers().stream()
                .filter(layer -> layer.type().equals("Conv2d"))
                .mapToLong(layer -> layer.parameters() * Float.BYTES)
                .sum();
        PlannedMemory memory = PlannedMemory.inference(network.spec(), BATCH, context);
        assertThat(memory.packedParameters()).isBetween(weights, weights * 11 / 10);
        assertThat(PlannedMemory.training(network.spec(), BATCH, OptimizerAlgorithm.Sgd.defaults(), context)
                        .packedParameters())
                .isZero();
    }

    @Test
    void aRefreshTakesOverChangedParameters() {
        Network network = initialized();
        try (InferenceStep step = new InferenceStep(network, context)) {
            step.run(images());
            float[] before = step.logits(1);
            network.parameters().initialize(2);
            step.refresh();
            step.run(images());
            float[] after = step.logits(1);
            assertThat(after).isNotEqualTo(before);
            try (InferenceStep fresh = new InferenceStep(
                    Network.build(network.spec(), network.parameters(), BATCH, false, NormalizeImage.imageNet()),
                    context)) {
                fresh.run(images());
                assertThat(fresh.logits(1)).containsExactly(after);
            }
        }
    }

    @Test
    void labelsOfOneBatchAreNotThoseOfTheNext() {
        MemorySegment images = images();
        try (InferenceStep step = step()) {
            step.run(images, MemorySegment.ofArray(new int[] {0, 1}));
            assertThat(step.loss()).isPositive();
            assertThat(step.top5()).isEqualTo(BATCH);
            step.run(images);
            assertThat(step.loss()).isZero();
            assertThat(step.top5()).isZero();
            assertThat(step.probabilities(1)).hasSize(CLASSES);
        }
    }
}
