package dev.velu.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.util.List;
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
    void whatTrainsAlikeLiesTogetherAndFrozenTensorsBehind() {
        parameters.declare(parameter("a.weight", Parameter.Role.WEIGHT, 20, 2));
        parameters.declare(parameter("a.bias", Parameter.Role.WEIGHT, 20));
        parameters.declare(parameter("b.weight", Parameter.Role.WEIGHT, 20, 2));
        parameters.declare(parameter("b.bias", Parameter.Role.WEIGHT, 20));
        parameters.declare(parameter("c.weight", Parameter.Role.WEIGHT, 20, 2));
        parameters.freeze(name -> name.startsWith("a."));
        parameters.group(new ParameterGroups(List.of(new ParameterGroup("c", 0.5f, 0.25f)), true));
        parameters.allocate(context, true);
        assertThat(parameters.runs())
                .containsExactly(
                        new ParameterRun(0, 48, 1, null),
                        new ParameterRun(48, 32, 1, 0f),
                        new ParameterRun(80, 48, 0.5f, 0.25f));
        assertThat(parameters.trainedCount()).isEqualTo(100);
        assertThat(parameters.gradients().byteSize()).isEqualTo(128 * 4);
        assertThat(parameters.values().byteSize()).isEqualTo((128 + 48 + 32) * 4);
        assertThat(parameters.offset(parameters.get("a.weight"))).isEqualTo(128 * 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parameters.gradient(parameters.get("a.weight")))
                .withMessageContaining("a.weight is not trained");
    }

    @Test
    void withoutGroupsAndFrozenTensorsTheyLieInOrderAsOneRun() {
        parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        parameters.declare(parameter("b", Parameter.Role.ACTIVATION));
        assertThat(parameters.runs()).containsExactly(new ParameterRun(0, 32, 1, null));
        assertThat(parameters.offset(parameters.get("b"))).isEqualTo(64);
    }

    @Test
    void countersLieBehindStatistics() {
        parameters.declare(new Parameter(
                "n",
                new TensorType(DType.I64, Shape.of()),
                Parameter.Role.BUFFER,
                Parameter.Layout.PLAIN,
                new Initializer.Constant(0)));
        parameters.declare(parameter("mean", Parameter.Role.BUFFER, 3));
        parameters.allocate(context, false);
        assertThat(parameters.statistics().byteSize()).isEqualTo(64);
        assertThat(parameters.offset(parameters.get("n"))).isEqualTo(64);
    }

    @Test
    void aGroupsPrefixIsOfWholeComponents() {
        ParameterGroup group = new ParameterGroup("features.1.", 1, null);
        assertThat(group.contains("features.1.weight")).isTrue();
        assertThat(group.contains("features.10.weight")).isFalse();
        assertThat(new ParameterGroups(List.of(group, new ParameterGroup("fc", 1, null)), false)
                        .unmatched(List.of("features.1.weight", "fcx")))
                .containsExactly("fc");
    }

    @Test
    void freezingOrGroupingAfterAllocateIsRefused() {
        parameters.allocate(context, true);
        assertThatIllegalStateException()
                .isThrownBy(() -> parameters.freeze(name -> true))
                .withMessageContaining("do it before allocate");
        assertThatIllegalStateException().isThrownBy(() -> parameters.group(ParameterGroups.NONE));
    }

    @Test
    void negativeFactorsAndDecaysAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ParameterGroup("a", -1, null))
                .withMessageContaining("learning rate factor -1.0 of 'a'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ParameterGroup("a", 1, Float.NaN))
                .withMessageContaining("weight decay NaN of 'a'");
    }

    @Test
    void gradientsNeedAnAllocationForTraining() {
        parameters.declare(parameter("a", Parameter.Role.WEIGHT, 3));
        assertThatIllegalStateException().isThrownBy(parameters::values).withMessageContaining("call allocate first");
        parameters.allocate(context, false);
        assertThatIllegalStateException().isThrownBy(parameters::gradients).withMessageContaining("for inference");
    }
}
