package dev.velu.models;

import dev.velu.device.Context;

class NetworkPrecisionEmulatedCudaTest extends NetworkInBothPrecisions {
    @Override
    Context open() {
        return EmulatedCuda.open();
    }
}
