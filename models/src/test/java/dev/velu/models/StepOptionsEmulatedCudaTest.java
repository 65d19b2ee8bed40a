package dev.velu.models;

import dev.velu.device.Context;

/** The same on CUDA, where both kinds of run are recorded and two are under way. */
class StepOptionsEmulatedCudaTest extends StepOptionsTest {
    @Override
    Context open() {
        return EmulatedCuda.open();
    }
}
