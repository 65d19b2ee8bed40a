package dev.velu.bench;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_velu_desc;
import dev.velu.bindings.velu_velu_params;
import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.device.NativeLibrary;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.peers.jni.VeluJni;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A call from Java into the native library: by the Foreign Function and Memory API as the bindings make it, declared as critical, and by
 * JNI as JavaCPP binds it. {@code velu_abi_version} only returns a number; {@code velu_velu_forward} is of 16 elements.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class CallBenchmark {
    private static final int CHANNELS = 16;
    private static final MethodHandle CRITICAL;

    static {
        NativeLibrary.load();
        CRITICAL = Linker.nativeLinker()
                .downcallHandle(
                        VeluNative.velu_abi_version$address(),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT),
                        Linker.Option.critical(false));
    }

    private final Velu velu = new Velu(VeluParameters.released(), 0);
    private Arena arena;
    private Context context;
    private MemorySegment handle;
    private MemorySegment desc;
    private Tensor x;
    private Tensor y;
    private MemorySegment xMemory;
    private MemorySegment yMemory;
    private VeluJni.Context jniContext;
    private VeluJni.Desc jniDesc;
    private FloatPointer jniX;
    private FloatPointer jniY;

    @Setup(Level.Trial)
    public void open() {
        VeluJni.load(NativeLibrary.load(), Places.glue());
        arena = Arena.ofShared();
        context = Context.open(Device.cpu(), ContextOptions.defaults().withThreads(1));
        handle = context.handle();
        desc = velu_velu_desc.allocate(arena);
        velu_velu_desc.device(desc, VeluNative.VELU_DEVICE_CPU());
        velu_velu_desc.dtype(desc, VeluNative.VELU_DTYPE_F32());
        velu_velu_desc.rows(desc, 1);
        velu_velu_desc.channels(desc, CHANNELS);
        MemorySegment params = velu_velu_desc.params(desc);
        velu_velu_params.alpha(params, velu.params().alpha());
        velu_velu_params.beta1(params, velu.params().beta1());
        velu_velu_params.beta2(params, velu.params().beta2());
        velu_velu_params.gamma(params, velu.params().gamma());
        velu_velu_params.mu(params, velu.params().mu());
        velu_velu_params.eps(params, velu.params().eps());
        x = Tensor.allocate(context, DType.F32, 1, CHANNELS);
        y = Tensor.allocate(context, DType.F32, 1, CHANNELS);
        xMemory = x.segment();
        yMemory = y.segment();
        jniContext = VeluJni.open();
        jniDesc = new VeluJni.Desc(1, CHANNELS);
        jniX = new FloatPointer((long) CHANNELS);
        jniY = new FloatPointer((long) CHANNELS);
        for (int i = 0; i < CHANNELS; i++) {
            xMemory.setAtIndex(ValueLayout.JAVA_FLOAT, i, 0.25f * i - 1);
            jniX.put(i, 0.25f * i - 1);
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        VeluJni.close(jniContext);
        jniDesc.close();
        jniX.close();
        jniY.close();
        context.close();
        arena.close();
    }

    @Benchmark
    public int abiVersionFfm() {
        return VeluNative.velu_abi_version();
    }

    @Benchmark
    public int abiVersionFfmCritical() throws Throwable {
        return (int) CRITICAL.invokeExact();
    }

    @Benchmark
    public int abiVersionJni() {
        return VeluJni.abiVersion();
    }

    @Benchmark
    public int forwardFfm() {
        return VeluNative.velu_velu_forward(handle, desc, xMemory, MemorySegment.NULL, yMemory, MemorySegment.NULL);
    }

    @Benchmark
    public int forwardJni() {
        return VeluJni.forward(jniContext, jniDesc, jniX, null, jniY, null);
    }

    /** Our Java API, which checks types and makes the descriptor anew. */
    @Benchmark
    public void forwardEager() {
        velu.forward(context, x, null, y, null);
    }
}
