package dev.velu.bench;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.nn.Initializer;
import dev.velu.op.RandomFill;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
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
 * Eager VeLU, forward with moments and backward, beside a copy of the same tensor: what the kernels would cost if they were
 * bound by memory alone. 8 bytes are moved per element forward, 12 backward, 8 by the copy.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class VeluBenchmark {
    /** Rows and channels of ResNet-50's stages at 224 pixels, batch 32. */
    @Param({"100352x64", "25088x256", "6272x512", "1568x2048"})
    public String shape;

    private Context context;
    private Tensor x;
    private Tensor dy;
    private Tensor y;
    private Tensor dx;
    private Tensor lambda;
    private Tensor dlambda;
    private Tensor moments;
    private final Velu velu = new Velu(VeluParameters.released(), 0.1f);

    @Setup(Level.Trial)
    public void open() {
        String[] sizes = shape.split("x");
        long rows = Long.parseLong(sizes[0]);
        long channels = Long.parseLong(sizes[1]);
        context = Context.open(Device.cpu());
        x = Tensor.allocate(context, DType.F32, rows, channels);
        dy = Tensor.allocate(context, DType.F32, rows, channels);
        y = Tensor.allocate(context, DType.F32, rows, channels);
        dx = Tensor.allocate(context, DType.F32, rows, channels);
        lambda = Tensor.allocate(context, DType.F32).set(1f);
        dlambda = Tensor.allocate(context, DType.F32);
        moments = Tensor.allocate(context, DType.F32, 3);
        new RandomFill(new Initializer.Normal(0, 1), 1, 1).fill(context, x);
        new RandomFill(new Initializer.Normal(0, 1), 1, 2).fill(context, dy);
        velu.forward(context, x, lambda, y, moments);
    }

    @TearDown(Level.Trial)
    public void close() {
        context.close();
    }

    @Benchmark
    public void forward() {
        velu.forward(context, x, lambda, y, moments);
    }

    @Benchmark
    public void backward() {
        velu.backward(context, x, dy, lambda, moments, dx, dlambda);
    }

    @Benchmark
    public void copy() {
        y.segment().copyFrom(x.segment());
    }
}
