package dev.velu.nn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.pytorch.PyTorchFile;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.TensorType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
    void convolutionWeightsTurnIntoTorchsOrderAndBack() throws TensorFileException {
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
    void aCounterThatIsNotAnIntegerChangesNothing() throws TensorFileException {
        Parameter bias = declare("bias", TensorType.f32(2), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        declare("batches", new TensorType(DType.I64, Shape.of(1)), Parameter.Role.BUFFER, Parameter.Layout.PLAIN);
        parameters.allocate(context, false);
        try (SafeTensorsFile file = file(floats("bias", 1, 2), floats("batches", 3))) {
            assertThatExceptionOfType(TensorFileException.class)
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
            assertThatExceptionOfType(TensorFileException.class)
                    .isThrownBy(() -> ParameterFiles.load(file, parameters, context))
                    .withMessageContaining("weight is [2], expected [3]; bias [2] is missing")
                    .matches(e -> !e.getMessage().contains("lambda"));
        }
    }

    @Test
    void weightsOfALayerOverAFlattenedImageTurnIntoTorchsOrderAndBack() throws TensorFileException {
        Parameter weight =
                declare("fc.weight", TensorType.f32(2, 6), Parameter.Role.WEIGHT, Parameter.Layout.flattened(2));
        parameters.allocate(context, false);
        float[] values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        context.upload(MemorySegment.ofArray(values), parameters.segment(weight));
        Path path = folder.resolve("saved.safetensors");
        SafeTensorsWriter.write(path, Map.of(), ParameterFiles.entries(parameters, context));
        parameters.values().fill((byte) 0);
        try (SafeTensorsFile saved = SafeTensorsFile.open(path)) {
            assertThat(saved.toFloatArray("fc.weight")).containsExactly(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11);
            ParameterFiles.load(saved, parameters, context);
        }
        assertThat(parameters.segment(weight).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(values);
    }

    /** Larger than one piece, and not a whole number of them. */
    @Test
    void tensorsOfSeveralPiecesAreReadAndWrittenWhole() throws TensorFileException {
        Parameter turned =
                declare("turned", TensorType.f32(1200, 2, 2, 513), Parameter.Role.WEIGHT, Parameter.Layout.CONVOLUTION);
        Parameter plain = declare("plain", TensorType.f32(2_500_001), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        parameters.allocate(context, false);
        MemorySegment values = parameters.values();
        for (long i = 0; i < parameters.flatCount(); i++) {
            values.setAtIndex(ValueLayout.JAVA_FLOAT, i, i % 8191);
        }
        float[] expectedTurned = parameters.segment(turned).toArray(ValueLayout.JAVA_FLOAT);
        float[] expectedPlain = parameters.segment(plain).toArray(ValueLayout.JAVA_FLOAT);
        Path path = folder.resolve("saved.safetensors");
        SafeTensorsWriter.write(path, Map.of(), ParameterFiles.entries(parameters, context));
        values.fill((byte) 0);
        try (SafeTensorsFile saved = SafeTensorsFile.open(path)) {
            ParameterFiles.load(saved, parameters, context);
        }
        assertThat(parameters.segment(turned).toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(expectedTurned);
        assertThat(parameters.segment(plain).toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(expectedPlain);
    }

    @Test
    void deviceMemoryIsWrittenPieceByPiece() throws IOException {
        MemorySegment memory = context.allocate((9L << 20) + 4);
        for (long i = 0; i < memory.byteSize(); i++) {
            memory.set(ValueLayout.JAVA_BYTE, i, (byte) (i % 251));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ParameterFiles.content(memory, context).writeTo(Channels.newChannel(out));
        assertThat(out.toByteArray()).isEqualTo(memory.toArray(ValueLayout.JAVA_BYTE));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hdf5    | 137 72 68 70 13 10 26 10 0 | is an HDF5 file (Keras .h5), which is not read",
                "lfs     | version https://git-lfs.github.com/spec/v1 | is a pointer of Git LFS",
                "page    | <html>Not found</html>             | is a text or a web page",
                "unknown | 1 2 3 4                            | is neither a safetensors file nor one of torch.save",
                "empty   | ''                                 | is empty",
            })
    void filesThatAreNoWeightsAreNamedByTheirContents(String kind, String content, String problem) throws IOException {
        byte[] bytes = content.getBytes(UTF_8);
        if (content.matches("[0-9 ]+")) {
            bytes = new byte[content.split(" ").length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) Integer.parseInt(content.split(" ")[i]);
            }
        }
        Path path = Files.write(folder.resolve(kind + ".safetensors"), bytes);
        assertThatExceptionOfType(TensorFileException.class)
                .isThrownBy(() -> ParameterFiles.open(path))
                .withMessageStartingWith(path + ": " + problem);
    }

    @Test
    void foldersAndMissingFilesAreNamed() {
        assertThatExceptionOfType(TensorFileException.class)
                .isThrownBy(() -> ParameterFiles.open(folder))
                .withMessage(folder + ": is a folder, not a file of weights");
        assertThatExceptionOfType(TensorFileException.class)
                .isThrownBy(() -> ParameterFiles.open(folder.resolve("none")))
                .withMessageEndingWith("cannot be read: no such file or folder");
    }

    @Test
    void theFormatIsThatOfTheContentsWhateverTheName() throws IOException {
        Path path = folder.resolve("weights.pth");
        SafeTensorsWriter.write(path, Map.of(), List.of(floats("bias", 1, 2)));
        try (TensorFile file = ParameterFiles.open(path)) {
            assertThat(file.names()).containsExactly("bias");
        }
        Path pickled = folder.resolve("weights.safetensors");
        try (InputStream in = PyTorchFile.class.getResourceAsStream("zip.pth")) {
            Files.copy(in, pickled);
        }
        try (TensorFile file = ParameterFiles.open(pickled)) {
            assertThat(file).isInstanceOf(PyTorchFile.class);
        }
    }

    @Test
    void halfPrecisionOfPyTorchBecomesFloat32() throws IOException {
        Parameter half = declare("half.weight", TensorType.f32(3), Parameter.Role.WEIGHT, Parameter.Layout.PLAIN);
        declare(
                "num_batches_tracked",
                new TensorType(DType.I64, Shape.of()),
                Parameter.Role.BUFFER,
                Parameter.Layout.PLAIN);
        parameters.allocate(context, false);
        Path path = folder.resolve("weights.pth");
        try (InputStream in = PyTorchFile.class.getResourceAsStream("legacy.pth")) {
            Files.copy(in, path);
        }
        try (TensorFile file = ParameterFiles.open(path)) {
            ParameterFiles.load(file, parameters, context);
        }
        assertThat(parameters.segment(half).toArray(ValueLayout.JAVA_FLOAT)).containsExactly(0.5f, -1.25f, 65504);
        assertThat(parameters.segment(parameters.get("num_batches_tracked")).get(ValueLayout.JAVA_LONG, 0))
                .isEqualTo(42);
    }
}
