package dev.velu.op;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.Isa;

/** The CPU where it computes in BF16. */
final class BFloat16Cpu {
    private BFloat16Cpu() {}

    /** A context on it; a test is skipped where the processor has no AVX512_BF16. */
    static Context open() {
        DeviceInfo cpu = DeviceInfo.query(Device.cpu());
        assumeTrue(cpu.bfloat16(), () -> "the CPU does not compute in BF16: " + cpu.name() + " has no AVX512_BF16");
        return Context.open(Device.cpu(), 2, Isa.AUTO);
    }
}
