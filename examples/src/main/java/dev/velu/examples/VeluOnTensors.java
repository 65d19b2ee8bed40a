package dev.velu.examples;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.op.Velu;
import dev.velu.op.VeluParameters;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.Arrays;

/** VeLU and its gradient on tensors: two rows of three channels. */
public final class VeluOnTensors {
    private VeluOnTensors() {}

    public static void main(String[] args) {
        // begin
        try (Context cpu = Context.open(Device.cpu());
                Tensor x = Tensor.allocate(cpu, DType.F32, 2, 3).set(-2f, -1f, 0f, 1f, 2f, 3f);
                Tensor dy = Tensor.allocate(cpu, DType.F32, 2, 3).set(1f, 1f, 1f, 1f, 1f, 1f);
                Tensor y = Tensor.allocate(cpu, DType.F32, 2, 3);
                Tensor dx = Tensor.allocate(cpu, DType.F32, 2, 3)) {
            Velu velu = new Velu(VeluParameters.released(), 0);
            velu.forward(cpu, x, null, y, null);
            velu.backward(cpu, x, dy, null, null, dx, null);
            System.out.println(Arrays.toString(y.toFloatArray()));
        }
        // end
    }
}
