package dev.velu.op;

import dev.velu.device.Context;

class BFloat16EmulatedCudaTest extends BFloat16Operations {
    @Override
    Context open() {
        return EmulatedCuda.open();
    }
}
