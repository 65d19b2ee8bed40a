package dev.velu.trainer.bench;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_velu_desc;
import dev.velu.bindings.velu_velu_params;
import dev.velu.device.Context;
import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.device.NativeLibrary;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import dev.velu.trainer.peer.Comparison;
import dev.velu.trainer.peer.Contender;
import dev.velu.trainer.peer.Malloc;
import dev.velu.trainer.peer.PeerModule;
import dev.velu.trainer.peer.PeerProcess;
import dev.velu.trainer.peer.Rounds;
import dev.velu.trainer.peer.Rounds.Entrant;
import dev.velu.trainer.peer.Timings;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a call from Java into the native library costs: through the Foreign Function and Memory API as our bindings make it, the same
 * declared as critical (the thread stays in Java's eyes in Java), and through JNI as JavaCPP binds it.
 *
 * <p>{@code velu_abi_version} only returns a number: that is the price of the call. {@code velu_velu_forward} of 16 elements is the
 * smallest useful one: that is how much of it anybody would notice.
 */
public final class CallBench implements AutoCloseable {
    private static final String ABI_VERSION = "velu_abi_version";
    private static final String FORWARD = "velu_velu_forward";
    private static final int CHANNELS = 16;

    /**
     * How long everything takes.
     *
     * @param calls timed together: one alone is shorter than the clock's steps
     * @param warmup runs of that many calls before the first turn
     */
    public record Effort(int rounds, int runs, int calls, int warmup) {}

    /**
     * A way to call a function.
     *
     * @param nanoseconds of a call, median
     * @param spread interquartile range as a fraction of the median
     */
    public record Cost(String function, String way, double nanoseconds, double spread, int runs) {}

    /** All that was measured. */
    public record Result(List<Comparison> comparisons, List<Cost> costs) {}

    private static final MethodHandle CRITICAL;

    static {
        NativeLibrary.load();
        CRITICAL = Linker.nativeLinker()
                .downcallHandle(
                        VeluNative.velu_abi_version$address(),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT),
                        Linker.Option.critical(false));
    }

    private final Effort effort;
    private final Arena arena = Arena.ofConfined();
    private final Context context;
    private final PeerProcess jni;
    private volatile int sink;

    /**
     * A benchmark of calls.
     *
     * @param module where JavaCPP's binding is; null not to compare with it
     * @throws dev.velu.trainer.peer.PeerException if it cannot be started; says why
     */
    public CallBench(PeerModule module, Effort effort) {
        this.effort = effort;
        context = Context.open(Device.cpu(), ContextOptions.defaults().withThreads(1));
        jni = module != null ? PeerProcess.start(module, 1, Malloc.DEFAULT, List.of()) : null;
    }

    /** Name of the peer with its version; null without one. */
    public String version() {
        return jni == null ? null : jni.name();
    }

    /** Measures all ways of both functions. */
    public Result measure() {
        List<Comparison> comparisons = new ArrayList<>();
        List<Cost> costs = new ArrayList<>();
        measure(
                ABI_VERSION,
                List.of(
                        new Stopwatch("FFM", () -> sink = abiVersion()),
                        new Stopwatch("FFM critical", () -> sink = criticalAbiVersion())),
                comparisons,
                costs);
        MemorySegment desc = desc();
        Tensor x = Tensor.allocate(context, DType.F32, 1, CHANNELS);
        Tensor y = Tensor.allocate(context, DType.F32, 1, CHANNELS);
        float[] values = new float[CHANNELS];
        for (int i = 0; i < CHANNELS; i++) {
            values[i] = 0.25f * i - 1;
        }
        x.set(values);
        Velu velu = new Velu(VeluParameters.released(), 0);
        measure(
                FORWARD,
                List.of(
                        new Stopwatch("FFM", () -> sink = forward(desc, x.segment(), y.segment())),
                        new Stopwatch("java-api, eager", () -> eager(velu, x, y))),
                comparisons,
                costs);
        return new Result(comparisons, costs);
    }

    private void measure(String function, List<Contender> ours, List<Comparison> comparisons, List<Cost> costs) {
        List<Contender> contenders = new ArrayList<>(ours);
        if (jni != null) {
            jni.prepare(Map.of(
                    "kind",
                    "jni_call",
                    "function",
                    function,
                    "channels",
                    CHANNELS,
                    "calls",
                    effort.calls(),
                    "library",
                    NativeLibrary.load().toString()));
            contenders.add(jni);
        }
        contenders.forEach(contender -> contender.run(effort.warmup()));
        List<Timings> timings = new Rounds(effort.rounds())
                .play(
                        contenders.stream()
                                .map(contender -> new Entrant(contender, effort.runs()))
                                .toList(),
                        round -> {});
        for (int i = 0; i < contenders.size(); i++) {
            String way =
                    contenders.get(i) == jni ? "JavaCPP JNI" : contenders.get(i).name();
            Timings measured = timings.get(i);
            costs.add(new Cost(function, way, nanoseconds(measured.median()), measured.spread(), measured.count()));
            if (jni != null && contenders.get(i) != jni) {
                String name = function + " by " + way + " vs JavaCPP JNI";
                Comparison times = Comparison.milliseconds(name, measured, timings.getLast());
                comparisons.add(new Comparison(
                        name,
                        "ns",
                        nanoseconds(times.ours()),
                        nanoseconds(times.peer()),
                        times.ratio(),
                        times.spread()));
            }
        }
    }

    private double nanoseconds(double milliseconds) {
        return 1e6 * milliseconds / effort.calls();
    }

    private int abiVersion() {
        int sum = 0;
        for (int i = 0; i < effort.calls(); i++) {
            sum += VeluNative.velu_abi_version();
        }
        return sum;
    }

    private int criticalAbiVersion() {
        try {
            int sum = 0;
            for (int i = 0; i < effort.calls(); i++) {
                sum += (int) CRITICAL.invokeExact();
            }
            return sum;
        } catch (Throwable e) {
            throw new IllegalStateException(ABI_VERSION + " throws nothing", e);
        }
    }

    private int forward(MemorySegment desc, MemorySegment x, MemorySegment y) {
        MemorySegment handle = context.handle();
        int failed = 0;
        for (int i = 0; i < effort.calls(); i++) {
            failed |= VeluNative.velu_velu_forward(handle, desc, x, MemorySegment.NULL, y, MemorySegment.NULL);
        }
        context.check(failed, FORWARD);
        return failed;
    }

    private void eager(Velu velu, Tensor x, Tensor y) {
        for (int i = 0; i < effort.calls(); i++) {
            velu.forward(context, x, null, y, null);
        }
    }

    /** The one that the peer makes. */
    private MemorySegment desc() {
        MemorySegment desc = velu_velu_desc.allocate(arena);
        velu_velu_desc.device(desc, VeluNative.VELU_DEVICE_CPU());
        velu_velu_desc.dtype(desc, VeluNative.VELU_DTYPE_F32());
        velu_velu_desc.rows(desc, 1);
        velu_velu_desc.channels(desc, CHANNELS);
        MemorySegment params = velu_velu_desc.params(desc);
        VeluParameters released = VeluParameters.released();
        velu_velu_params.alpha(params, released.alpha());
        velu_velu_params.beta1(params, released.beta1());
        velu_velu_params.beta2(params, released.beta2());
        velu_velu_params.gamma(params, released.gamma());
        velu_velu_params.mu(params, released.mu());
        velu_velu_params.eps(params, released.eps());
        return desc;
    }

    @Override
    public void close() {
        if (jni != null) {
            jni.close();
        }
        context.close();
        arena.close();
    }
}
