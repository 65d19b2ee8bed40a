package dev.velu.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParameterFilesTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @TempDir
    Path folder;

    private final Parameters parameters = new Parameters();

    private Parameter declare(String name, TensorType type, Parameter.Role role, Parameter.Layout layout) {
        return parameters.declare(new Parameter(name, type, role, layout, new Initializer.Constant(0)));
    }

    private SafeTensorsFile file(SafeTensorsWriter.Entry... entries) throws SafeTensorsException {
        Path path = folder.resolve("parameters.safetensors");
        SafeTensorsWriter.write(path, Map.of(), List.of(entries));
        return SafeTensorsFile.open(path);
    }

    private static SafeTensorsWriter.Entry floats(String name, float... values) {
        return SafeTensorsWriter.Entry.of(name, DType.F32, Shape.of(values.length), MemorySegment.ofArray(values));
    }

    @Test
    void convolutionWeightsTurnIntoTorchsOrderAndBack() throws SafeTensorsException {
        Parameter weight =
                declare("conv.weight", TensorType.f32(1, 1, 2, 3), Parameter.Role.WEIGHT, Parameter.Layout.CONVOLUTION);
        parameters.allocate(context, false);
        float[] values = {0, 1, 2, 3, 4, 5};
        context.upload(MemorySegment.ofArray(values), parameters.segment(weight));
        Path path = folder.resolve("saved.safetensors");
        SafeTensorsWriter.write(path, Map.of(), ParameterFiles.entries(parameters, context));
        parameters.values().fill((byte) 0);
        try (SafeTensorsFile saved = SafeTensorsFile.open(path)) {
            assertThat(saved.info("conv.weight").shape()).isEqualTo(Shape.of(1, 3, 1, 2));
            assertThat(saved.toFloatArray("conv.weight")).containsExactly(0, 3, 1, 4, 2, 5);
            ParameterFiles.load(saved, parameters, context);
        }
        assertThat(parameters.segment(weight).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(values);
    }

    @Test
    void aCounterThatIsNotAnIntegerChangesNothing() throws SafeTensorsException {
        Parameter bias = declare("bias", TensorType.f32(2), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        declare("batches", new TensorType(DType.I64, Shape.of(1)), Parameter.Role.BUFFER, Parameter.Layout.PLAIN);
        parameters.allocate(context, false);
        try (SafeTensorsFile file = file(floats("bias", 1, 2), floats("batches", 3))) {
            assertThatExceptionOfType(SafeTensorsException.class)
                    .isThrownBy(() -> ParameterFiles.load(file, parameters, context))
                    .withMessageContaining("batches is of F32, expected integers");
        }
        assertThat(parameters.segment(bias).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(0, 0);
    }

    @Test
    void missingAndMisshapenTensorsAreNamed() throws SafeTensorsException {
        declare("weight", TensorType.f32(3), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        declare("bias", TensorType.f32(2), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        declare("lambda", TensorType.f32(), Parameter.Role.ACTIVATION, Parameter.Layout.PLAIN);
        parameters.allocate(context, false);
        try (SafeTensorsFile file = file(floats("weight", 1, 2))) {
            assertThatExceptionOfType(SafeTensorsException.class)
                    .isThrownBy(() -> ParameterFiles.load(file, parameters, context))
                    .withMessageContaining("weight is [2], expected [3]; bias [2] is missing")
                    .matches(e -> !e.getMessage().contains("lambda"));
        }
    }
}
