package dev.velu.examples;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** VeLU in place on memory that is already there: a million rows of 64 channels, without a copy. */
public final class VeluOnOwnMemory {
    private VeluOnOwnMemory() {}

    public static void main(String[] args) {
        long rows = 1_000_000;
        long channels = 64;
        try (Arena arena = Arena.ofConfined();
                Context cpu = Context.open(Device.cpu())) {
            MemorySegment memory = arena.allocate(ValueLayout.JAVA_FLOAT, rows * channels);
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 1.5f);
            Tensor x = Tensor.wrap(cpu, memory, DType.F32, rows, channels);
            new Velu(VeluParameters.released(), 0).forward(cpu, x, null, x, null);
            System.out.println("VeLU(1.5) = " + memory.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        }
    }
}
