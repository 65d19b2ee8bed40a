package dev.velu.op;

import dev.velu.device.Context;

/** The same on the CUDA backend, compiled for the host: recorded plans, and channels of wider tensors in its kernels. */
class GraphGradientEmulatedCudaTest extends GraphGradientTest {
    @Override
    Context open() {
        return EmulatedCuda.open();
    }
}
