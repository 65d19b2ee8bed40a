package dev.velu.selftest;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;
import java.util.ArrayList;
import java.util.List;
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
        run(context, results::add);
        return results;
    }

    /** Reports each result when it is there. */
    public static void run(Context context, Consumer<Result> report) {
        Probe probe = new Probe(context, report);
        VeluCheck.run(probe);
        ActivationCheck.run(probe);
        AddCheck.run(probe);
        DropoutCheck.run(probe);
        Conv2dCheck.run(probe);
        LinearCheck.run(probe);
        BatchNormCheck.run(probe);
        Pool2dCheck.run(probe);
        GlobalAvgPoolCheck.run(probe);
        SoftmaxCrossEntropyCheck.run(probe);
        TopKCheck.run(probe);
        OptimizerCheck.run(probe);
        RandomCheck.run(probe);
        NormalizeImageCheck.run(probe);
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
