package dev.velu.op;

import dev.velu.device.Context;

class MixedPrecisionEmulatedCudaTest extends MixedPrecisionTraining {
    @Override
    Context open() {
        return EmulatedCuda.open();
    }
}
