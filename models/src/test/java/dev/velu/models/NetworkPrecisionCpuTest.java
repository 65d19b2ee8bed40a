package dev.velu.models;

import dev.velu.device.Context;

class NetworkPrecisionCpuTest extends NetworkInBothPrecisions {
    @Override
    Context open() {
        return BFloat16Cpu.open();
    }
}
