package dev.velu.bench;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_copy_rows_desc;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.op.Activation;
import dev.velu.op.Pointwise;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
 * Our kernels with all processors: VeLU with the moments of its values, GELU and SiLU, and a copy of the same memory by the same
 * threads: what they would cost if memory alone bound them. An element takes 8 bytes of traffic forward, 20 with the backward pass, 8 the
 * copy.
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
    /** Rows and channels of ResNet-50's stages at 224 pixels, batch size 32. */
    @Param({"100352x64", "25088x256", "6272x512", "1568x2048"})
    public String shape;

    /** Those of the released layer, and of the paper's curve, whose clip most rows reach. */
    @Param({"released", "curve"})
    public String constants;

    private final Activation gelu = new Activation(Pointwise.GELU);
    private final Activation silu = new Activation(Pointwise.SILU);
    private final Arena arena = Arena.ofShared();
    private Velu velu;
    private Context context;
    private Tensor x;
    private Tensor dy;
    private Tensor y;
    private Tensor dx;
    private Tensor lambda;
    private Tensor dlambda;
    private Tensor moments;
    private MemorySegment copy;

    @Setup(Level.Trial)
    public void open() {
        Inputs inputs = Inputs.of(shape);
        velu = new Velu(constants.equals("curve") ? VeluParameters.curve() : VeluParameters.released(), 0.1f);
        context = Context.open(Device.cpu());
        x = Tensor.allocate(context, DType.F32, inputs.rows(), inputs.channels())
                .set(inputs.x());
        dy = Tensor.allocate(context, DType.F32, inputs.rows(), inputs.channels())
                .set(inputs.dy());
        y = Tensor.allocate(context, x.type());
        dx = Tensor.allocate(context, x.type());
        lambda = Tensor.allocate(context, DType.F32).set(1f);
        dlambda = Tensor.allocate(context, DType.F32);
        moments = Tensor.allocate(context, DType.F32, 3);
        copy = velu_copy_rows_desc.allocate(arena);
        int threads = context.threads();
        long part = x.shape().elements() / threads;
        velu_copy_rows_desc.device(copy, VeluNative.VELU_DEVICE_CPU());
        velu_copy_rows_desc.dtype(copy, VeluNative.VELU_DTYPE_F32());
        velu_copy_rows_desc.rows(copy, threads);
        velu_copy_rows_desc.channels(copy, part);
        velu_copy_rows_desc.x_pitch(copy, part);
        velu_copy_rows_desc.y_pitch(copy, part);
    }

    @TearDown(Level.Trial)
    public void close() {
        context.close();
        arena.close();
    }

    @Benchmark
    public void forward() {
        velu.forward(context, x, lambda, y, moments);
    }

    @Benchmark
    public void forwardBackward() {
        velu.forward(context, x, lambda, y, moments);
        velu.backward(context, x, dy, lambda, moments, dx, dlambda);
    }

    @Benchmark
    public void geluForward() {
        gelu.forward(context, x, y);
    }

    @Benchmark
    public void geluForwardBackward() {
        gelu.forward(context, x, y);
        gelu.backward(context, x, dy, dx);
    }

    @Benchmark
    public void siluForward() {
        silu.forward(context, x, y);
    }

    @Benchmark
    public void siluForwardBackward() {
        silu.forward(context, x, y);
        silu.backward(context, x, dy, dx);
    }

    /** A part by each thread. */
    @Benchmark
    public int copy() {
        return VeluNative.velu_copy_rows_forward(context.handle(), copy, x.segment(), y.segment());
    }
}
