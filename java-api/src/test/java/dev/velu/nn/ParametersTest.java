package dev.velu.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.TensorType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class ParametersTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private final Parameters parameters = new Parameters();

    private static Parameter parameter(String name, Parameter.Role role, long... sizes) {
        return new Parameter(name, TensorType.f32(sizes), role, Parameter.Layout.PLAIN, new Initializer.Constant(0));
    }

    @Test
    void aNameDeclaredTwiceIsOneTensor() {
        Parameter first = parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        assertThat(parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3))).isSameAs(first);
        assertThat(parameters.all()).containsExactly(first);
    }

    @Test
    void aNameOfAnotherTypeOrRoleIsRefused() {
        parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parameters.declare(parameter("a", Parameter.Role.WEIGHT, 4)))
                .withMessageContaining("parameter a is declared as WEIGHT F32 [3], not as WEIGHT F32 [4]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parameters.declare(parameter("a", Parameter.Role.BUFFER, 3)))
                .withMessageContaining("not as BUFFER F32 [3]");
    }

    @Test
    void theMemoryOfAnotherNetworksParameterIsRefused() {
        parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        parameters.declare(parameter("b", Parameter.Role.WEIGHT, 3));
        parameters.allocate(context, true);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parameters.segment(parameter("a", Parameter.Role.WEIGHT, 20)))
                .withMessageContaining("not as WEIGHT F32 [20]");
    }

    @Test
    void gradientsNeedAnAllocationForTraining() {
        parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        assertThatIllegalStateException().isThrownBy(parameters::values).withMessageContaining("call allocate first");
        parameters.allocate(context, false);
        assertThatIllegalStateException().isThrownBy(parameters::gradients).withMessageContaining("for inference");
    }
}
