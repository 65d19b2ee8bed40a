package dev.velu.bench;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.models.Architecture;
import dev.velu.models.Network;
import dev.velu.models.NetworkSpec;
import dev.velu.models.TrainingStep;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.op.Pointwise;
import dev.velu.op.VeluParameters;
import dev.velu.optim.GradientClip;
import dev.velu.optim.Optimizer;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Whole training steps: pixels to loss, backward, SGD with momentum, the loss read back. With {@code -prof gc} it shows what a step
 * allocates in Java.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class StepBenchmark {
    private static final int CLASSES = 10;
    private static final float LEARNING_RATE = 1e-4f;

    @Param({"resnet50", "mobilenet_v2"})
    public String model;

    @Param({"velu", "relu"})
    public String activation;

    @Param({"64"})
    public int size;

    @Param({"8"})
    public int batchSize;

    private Context context;
    private TrainingStep step;
    private MemorySegment images;
    private MemorySegment labels;

    @Setup(Level.Trial)
    public void open() {
        NetworkSpec spec = new NetworkSpec(
                Architecture.named(model),
                CLASSES,
                size,
                activation.equals("velu") ? VeluParameters.released() : Pointwise.RELU,
                NetworkSpec.Sites.ALL,
                NetworkSpec.Head.STANDARD,
                0.1f);
        Parameters parameters = new Parameters();
        Network network = Network.build(spec, parameters, batchSize, true, NormalizeImage.imageNet());
        context = Context.open(Device.cpu());
        parameters.allocate(context, true);
        parameters.initialize(1);
        Optimizer optimizer =
                new Optimizer(parameters, new OptimizerAlgorithm.Sgd(0.9f, false, 1e-4f), GradientClip.NONE, context);
        step = new TrainingStep(network, context, optimizer, 0);
        images = context.allocateHost((long) batchSize * size * size * 3);
        labels = context.allocateHost((long) batchSize * Integer.BYTES);
        Random random = new Random(1);
        byte[] pixels = new byte[Math.toIntExact(images.byteSize())];
        random.nextBytes(pixels);
        MemorySegment.copy(pixels, 0, images, ValueLayout.JAVA_BYTE, 0, pixels.length);
        for (int i = 0; i < batchSize; i++) {
            labels.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(CLASSES));
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        step.close();
        context.close();
    }

    @Benchmark
    public float step() {
        step.run(images, labels, LEARNING_RATE);
        return step.loss();
    }
}
