package dev.velu.op;

import dev.velu.device.Context;

class MixedPrecisionCpuTest extends MixedPrecisionTraining {
    @Override
    Context open() {
        return BFloat16Cpu.open();
    }
}
