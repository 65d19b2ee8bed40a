package dev.velu.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Autodiff;
import dev.velu.graph.Fusion;
import dev.velu.graph.Plan;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
import dev.velu.nn.Parameters;
import dev.velu.op.ActivationFunction;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.SoftmaxCrossEntropy;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainingStepTest {
    private static final int BATCH = 8;
    private static final int SIZE = 32;
    private static final int CLASSES = 10;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment images = arena.allocate((long) BATCH * SIZE * SIZE * 3, 64);
    private final MemorySegment labels = arena.allocate(ValueLayout.JAVA_INT, BATCH);
    private Context context;

    @BeforeEach
    void openContext() {
        context = Context.open(Device.cpu(), 2, Isa.AUTO);
        Random random = new Random(7);
        for (long i = 0; i < images.byteSize(); i++) {
            images.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(256));
        }
        for (int i = 0; i < BATCH; i++) {
            labels.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(CLASSES));
        }
    }

    @AfterEach
    void closeContext() {
        context.close();
        arena.close();
    }

    @Test
    void overfitsOneBatch() {
        try (TrainingStep step = trainingStep(VeluParameters.released(), new Parameters())) {
            step.run(images, labels, 1e-3f);
            double first = step.loss();
            for (int i = 0; i < 40; i++) {
                step.run(images, labels, 1e-3f);
            }
            assertThat(first).isBetween(1.0, 6.0);
            assertThat((double) step.loss()).isLessThan(0.05);
            assertThat(step.top1()).isEqualTo(BATCH);
        }
    }

    @ParameterizedTest
    @EnumSource
    void overfitsOneBatchWithEveryPointwiseActivation(Pointwise activation) {
        try (TrainingStep step = trainingStep(activation, new Parameters())) {
            for (int i = 0; i < 40; i++) {
                step.run(images, labels, 1e-3f);
            }
            assertThat((double) step.loss()).isLessThan(0.2);
            assertThat(step.veluSites()).isZero();
        }
    }

    @Test
    void anOptimizerOfOtherParametersIsRefused() {
        Network network = network(Pointwise.RELU, new Parameters(), 0);
        network.parameters().allocate(context, true);
        Parameters others = new Parameters();
        others.allocate(context, true);
        Optimizer optimizer = new Optimizer(others, OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE, context);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TrainingStep(network, context, optimizer, 0))
                .withMessageContaining("other parameters than the network's");
    }

    @Test
    void runningAfterTheContextIsClosedIsRefused() {
        TrainingStep step = trainingStep(Pointwise.RELU, new Parameters());
        context.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> step.run(images, labels, 1e-3f))
                .withMessageContaining("this context on cpu is closed");
        step.close();
    }

    @Test
    void onTheCpuASubmittedStepIsDoneAndHasToBeAwaitedBeforeTheNext() {
        Network network = TinyNetwork.on(context, true);
        MemorySegment pixels = context.allocateHost(TinyNetwork.IMAGE_BYTES);
        MemorySegment classes = context.allocateHost(TinyNetwork.LABEL_BYTES);
        Optimizer optimizer =
                new Optimizer(network.parameters(), OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE, context);
        try (TrainingStep step = new TrainingStep(network, context, optimizer, 0)) {
            assertThat(step.capacity()).isEqualTo(1);
            step.submit(pixels, classes, 0.1f);
            assertThat(step.inFlight()).isEqualTo(1);
            assertThat(step.loss()).isPositive();
            assertThatIllegalStateException()
                    .isThrownBy(() -> step.submit(pixels, classes, 0.1f))
                    .withMessageContaining("1 steps are under way");
            step.await();
            assertThatIllegalStateException().isThrownBy(step::await).withMessageContaining("submit one first");
        }
    }

    @Test
    void theSameSeedGivesTheSameBits() {
        Parameters first = new Parameters();
        Parameters second = new Parameters();
        try (TrainingStep a = trainingStep(VeluParameters.released(), first);
                TrainingStep b = trainingStep(VeluParameters.released(), second)) {
            for (int i = 0; i < 3; i++) {
                a.run(images, labels, 1e-3f);
                b.run(images, labels, 1e-3f);
                assertThat(a.loss()).isEqualTo(b.loss());
            }
            assertThat(first.values().mismatch(second.values())).isEqualTo(-1);
        }
    }

    @Test
    void aStepAllocatesNothingOnTheJavaHeap() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().threadId();
        try (TrainingStep step = trainingStep(VeluParameters.released(), new Parameters())) {
            long perStep = Long.MAX_VALUE;
            // The interpreter and the first compilers box arguments of native calls; the last compiler does not.
            for (int tens = 0; tens < 30 && perStep > 64; tens++) {
                long before = threads.getThreadAllocatedBytes(thread);
                for (int i = 0; i < 10; i++) {
                    step.run(images, labels, 1e-3f);
                }
                perStep = (threads.getThreadAllocatedBytes(thread) - before) / 10;
            }
            assertThat(perStep).as("mean bytes of the leanest ten of 300 steps").isLessThanOrEqualTo(64);
        }
    }

    @Test
    void theNativeSideAllocatesNothingAfterPlanning() {
        try (TrainingStep step = trainingStep(VeluParameters.released(), new Parameters())) {
            long planned = context.allocatedBytes();
            step.run(images, labels, 1e-3f);
            assertThat(context.allocatedBytes()).isEqualTo(planned);
        }
    }

    @Test
    void gradientIsTheDerivativeOfLossPlusWeightedW2() {
        Differentiated network = new Differentiated(true);
        double loss = network.run();
        assertThat(loss).isPositive();
        float[] gradient = network.gradients();
        double squaredNorm = 0;
        for (float g : gradient) {
            squaredNorm += (double) g * g;
        }
        // Along the gradient itself the directional derivative is its norm: the largest signal above float32 rounding.
        double norm = Math.sqrt(squaredNorm);
        double distance = 1e-3;
        network.move(gradient, distance / norm);
        double ahead = network.run();
        network.move(gradient, -2 * distance / norm);
        double behind = network.run();
        assertThat((ahead - behind) / (2 * distance)).isEqualTo(norm, within(0.02 * norm));
    }

    @Test
    void fusionChangesNeitherLossNorGradients() {
        Differentiated fused = new Differentiated(true);
        Differentiated plain = new Differentiated(false);
        assertThat(fused.run()).isEqualTo(plain.run(), within(1e-4));
        assertThat(fused.plan.size()).isLessThan(plain.plan.size());
        float[] a = fused.gradients();
        float[] b = plain.gradients();
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < a.length; i++) {
            difference += Math.pow(a[i] - b[i], 2);
            norm += Math.pow(b[i], 2);
        }
        assertThat(Math.sqrt(difference / norm)).isLessThan(1e-3);
    }

    /** Forward and backward without an optimizer, so that gradients stay to be looked at. */
    private final class Differentiated {
        final Parameters parameters = new Parameters();
        final Plan plan;
        final Network network;
        final float w2Weight = 0.1f;

        Differentiated(boolean fuse) {
            network = network(VeluParameters.released(), parameters, w2Weight);
            Value given = network.graph().input("labels", new TensorType(DType.I32, Shape.of(BATCH)));
            Value loss = new SoftmaxCrossEntropy(0).apply(network.graph(), network.logits(), given);
            network.graph().result("loss", loss);
            if (fuse) {
                Fusion.fuse(network.graph(), true);
            }
            Autodiff.differentiate(network.graph(), loss);
            parameters.allocate(context, true);
            parameters.initialize(3);
            plan = Plan.of(network.graph(), parameters, context);
        }

        /** Loss plus weighted W2 at the present parameters, in double precision from float32 parts. */
        double run() {
            context.upload(images, plan.input(Network.IMAGES));
            context.upload(labels, plan.input("labels"));
            plan.run();
            double total = plan.result("loss").get(ValueLayout.JAVA_FLOAT, 0);
            for (Value result : network.graph().results()) {
                if (result.name().startsWith("moments")) {
                    total += w2Weight * plan.result(result.name()).getAtIndex(ValueLayout.JAVA_FLOAT, 2);
                }
            }
            return total;
        }

        float[] gradients() {
            return parameters.gradients().toArray(ValueLayout.JAVA_FLOAT);
        }

        void move(float[] direction, double distance) {
            for (int i = 0; i < direction.length; i++) {
                float value = parameters.values().getAtIndex(ValueLayout.JAVA_FLOAT, i);
                parameters.values().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (value + distance * direction[i]));
            }
        }
    }

    @Test
    void paperHeadSharesOneLambdaBetweenItsTwoActivations() {
        Parameters parameters = new Parameters();
        NetworkSpec spec = new NetworkSpec(
                Architecture.named("resnet50"),
                CLASSES,
                SIZE,
                VeluParameters.released(),
                NetworkSpec.Sites.HEAD,
                NetworkSpec.Head.PAPER,
                0.1f);
        Network network = Network.build(spec, parameters, BATCH, true, NormalizeImage.imageNet());
        assertThat(parameters.count(Parameter.Role.ACTIVATION)).isEqualTo(1);
        assertThat(network.sites().stream().filter(s -> s.activation().equals("velu")))
                .hasSize(2);
        parameters.allocate(context, true);
        parameters.initialize(1);
        Optimizer optimizer = new Optimizer(parameters, OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE, context);
        try (TrainingStep step = new TrainingStep(network, context, optimizer, 0)) {
            step.run(images, labels, 1e-3f);
            float first = step.loss();
            for (int i = 0; i < 40; i++) {
                step.run(images, labels, 1e-3f);
            }
            assertThat(step.loss()).isLessThan(first / 4);
            assertThat(step.veluSites()).isEqualTo(2);
        }
    }

    private Network network(ActivationFunction activation, Parameters parameters, float w2Weight) {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named("resnet50"),
                CLASSES,
                SIZE,
                activation,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                w2Weight);
        return Network.build(spec, parameters, BATCH, true, NormalizeImage.imageNet());
    }

    private TrainingStep trainingStep(ActivationFunction activation, Parameters parameters) {
        Network network = network(activation, parameters, 0.1f);
        parameters.allocate(context, true);
        parameters.initialize(1);
        Optimizer optimizer = new Optimizer(parameters, OptimizerAlgorithm.Adam.defaults(), GradientClip.NONE, context);
        return new TrainingStep(network, context, optimizer, 0);
    }
}
