package dev.velu.op;

import dev.velu.device.Context;

class BFloat16CpuTest extends BFloat16Operations {
    @Override
    Context open() {
        return BFloat16Cpu.open();
    }
}
