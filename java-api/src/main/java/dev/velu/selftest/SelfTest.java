package dev.velu.selftest;

import dev.velu.device.BackendInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;
import dev.velu.device.Status;
import dev.velu.device.VeluException;
import dev.velu.op.Add;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * Runs every operation of a device on odd shapes and special values and compares the results with float64 references,
 * the gradients also with difference quotients. Tensors lie between guards, so writing outside is seen too.
 */
public final class SelfTest {
    private SelfTest() {}

    /** All results on one context. */
    public static List<Result> run(Context context) {
        List<Result> results = new ArrayList<>();
        run(context, false, results::add, notRun -> {});
        return results;
    }

    /**
     * Checks everything in float32, and in BF16 where the device computes in it. The context must not allow TF32, whose
     * rounding of operands no float32 tolerance covers.
     *
     * @param quick whether to run a few cases of each operation only, for tools that slow a device down
     * @param report takes each result when it is there
     * @param notRun takes what this device or its libraries could not be asked, with the reason
     */
    public static void run(Context context, boolean quick, Consumer<Result> report, Consumer<NotRun> notRun) {
        Map<String, Set<String>> implementations = new TreeMap<>();
        Consumer<Result> noted = result -> {
            implementations
                    .computeIfAbsent(family(result.operation()), family -> new TreeSet<>())
                    .add(result.implementation());
            report.accept(result);
        };
        Probe probe = new Probe(context, DType.F32, quick, noted, notRun);
        StreamCheck.run(probe);
        operations(probe);
        RandomCheck.run(probe);
        GraphCheck.run(probe);
        Probe half = new Probe(context, DType.BF16, quick, noted, notRun);
        String refused = bfloat16Refused(context);
        if (refused == null) {
            operations(half);
        } else {
            probe.notRun("arithmetic in BF16", refused);
            CastCheck.run(half);
            TransposeCheck.run(half);
            CopyRowsCheck.run(half);
        }
        if (context.device().kind() == Device.Kind.CUDA) {
            libraries(probe, implementations);
        }
    }

    private static void operations(Probe probe) {
        VeluCheck.run(probe);
        WassersteinCheck.run(probe);
        ActivationStatisticsCheck.run(probe);
        ActivationCheck.run(probe);
        AddCheck.run(probe);
        CastCheck.run(probe);
        TransposeCheck.run(probe);
        CopyRowsCheck.run(probe);
        ChannelScaleCheck.run(probe);
        DropoutCheck.run(probe);
        Conv2dCheck.run(probe);
        LinearCheck.run(probe);
        ScaledLinearCheck.run(probe);
        AttentionCheck.run(probe);
        TokenEmbeddingCheck.run(probe);
        LayerNormCheck.run(probe);
        BatchNormCheck.run(probe);
        Pool2dCheck.run(probe);
        GlobalAvgPoolCheck.run(probe);
        AdaptiveAvgPool2dCheck.run(probe);
        SoftmaxCrossEntropyCheck.run(probe);
        TopKCheck.run(probe);
        OptimizerCheck.run(probe);
        LerpCheck.run(probe);
        NormalizeImageCheck.run(probe);
    }

    /** Why the device does not compute in BF16 at all, or null if it does. */
    static String bfloat16Refused(Context context) {
        try (Tensor x = Tensor.allocate(context, DType.BF16, 1);
                Tensor y = Tensor.allocate(context, DType.BF16, 1)) {
            new Add().forward(context, x, x, y);
            return null;
        } catch (VeluException e) {
            if (e.status() == Status.UNSUPPORTED) {
                return e.getMessage();
            }
            // Anything else is for the checks to report.
            return null;
        }
    }

    private static String family(String operation) {
        return operation.replaceFirst("_(forward|backward).*", "");
    }

    /** What the libraries of CUDA were not asked: without them convolutions and matrix products ran on other kernels. */
    private static void libraries(Probe probe, Map<String, Set<String>> implementations) {
        Device device = probe.context().device();
        library(probe, "cuDNN convolutions", "conv2d", "cudnn", implementations);
        library(probe, "cuBLASLt matrix products", "linear", "cublaslt", implementations);
        if (DeviceInfo.query(device).name().toLowerCase(Locale.ROOT).contains("emulat")) {
            probe.notRun(
                    "CUDA itself",
                    "the device is emulated on the host: kernels, streams and graphs ran as C++, so nothing is known of"
                            + " nvcc's code, of races on a GPU, or of speed");
        }
    }

    /** @param name that implementations of the library begin with, in lower case */
    private static void library(
            Probe probe, String what, String family, String name, Map<String, Set<String>> implementations) {
        Set<String> used = implementations.getOrDefault(family, Set.of());
        if (used.stream().noneMatch(implementation -> implementation.startsWith(name))) {
            String found = BackendInfo.query(Device.Kind.CUDA)
                    .libraries()
                    .lines()
                    .filter(line -> line.toLowerCase(Locale.ROOT).startsWith(name))
                    .findFirst()
                    .orElse("nothing known of the library");
            probe.notRun(what, family + " ran on " + String.join(", ", used) + "; " + found);
        }
    }

    /**
     * The instruction sets that can be asked of a device, from the baseline to its best; {@code AUTO} alone if it is
     * no CPU.
     */
    public static List<Isa> instructionSets(Device device) {
        if (device.kind() != Device.Kind.CPU) {
            return List.of(Isa.AUTO);
        }
        Isa best = DeviceInfo.query(device).isa();
        List<Isa> sets = new ArrayList<>();
        for (Isa isa : Isa.values()) {
            if (isa != Isa.AUTO && isa.compareTo(best) <= 0) {
                sets.add(isa);
            }
        }
        return sets;
    }
}
