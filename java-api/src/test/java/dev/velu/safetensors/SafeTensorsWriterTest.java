package dev.velu.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsWriterTest {
    private static final MemorySegment FLOATS = MemorySegment.ofArray(new float[] {1, 2, 3});

    @TempDir
    Path folder;

    private static SafeTensorsWriter.Entry floats(String name) {
        return SafeTensorsWriter.Entry.of(name, DType.F32, Shape.of(3), FLOATS);
    }

    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        Path file = folder.resolve("a.safetensors");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment large = arena.allocate(3 << 20);
            large.set(ValueLayout.JAVA_BYTE, (3 << 20) - 1, (byte) 42);
            SafeTensorsWriter.write(
                    file,
                    Map.of("step", "12", "a \"quoted\"\n", "ä"),
                    List.of(
                            floats("layer1.0.weight"),
                            SafeTensorsWriter.Entry.of("large", DType.U8, Shape.of(3, 1 << 20), large),
                            SafeTensorsWriter.Entry.of(
                                    "n", DType.I64, Shape.of(), MemorySegment.ofArray(new long[] {7}))));
        }
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.metadata()).isEqualTo(Map.of("step", "12", "a \"quoted\"\n", "ä"));
            assertThat(tensors.names()).containsExactly("layer1.0.weight", "large", "n");
            assertThat(tensors.toFloatArray("layer1.0.weight")).containsExactly(1, 2, 3);
            assertThat(tensors.segment("large").get(ValueLayout.JAVA_BYTE, (3 << 20) - 1))
                    .isEqualTo((byte) 42);
            assertThat(tensors.toLongArray("n")).containsExactly(7);
        }
    }

    @Test
    void theDataBeginsAtAMultipleOfEightBytes() throws IOException {
        for (String name : List.of("a", "ab", "abc", "abcdefg")) {
            Path file = folder.resolve(name);
            SafeTensorsWriter.write(file, Map.of(), List.of(floats(name)));
            long header = ByteBuffer.wrap(Files.readAllBytes(file))
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .getLong();
            assertThat(header % 8).isZero();
        }
    }

    @Test
    void theSameTensorsGiveTheSameBytes() throws IOException {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        SafeTensorsWriter.write(first, Map.of("a", "1", "b", "2", "c", "3"), List.of(floats("x"), floats("y")));
        SafeTensorsWriter.write(second, Map.of("c", "3", "b", "2", "a", "1"), List.of(floats("x"), floats("y")));
        assertThat(second).hasSameBinaryContentAs(first);
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws IOException {
        Path file = folder.resolve("a");
        Files.writeString(file, "old");
        SafeTensorsWriter.Entry failing = new SafeTensorsWriter.Entry("x", ElementType.F32, Shape.of(3), channel -> {
            channel.write(ByteBuffer.allocate(4));
            throw new IOException("No space left on device");
        });
        assertThatThrownBy(() -> SafeTensorsWriter.write(file, Map.of(), List.of(floats("y"), failing)))
                .isInstanceOf(SafeTensorsException.class)
                .hasMessage(file + ": cannot be written: No space left on device");
        assertThat(file).hasContent("old");
        assertThat(folder).isDirectoryNotContaining("glob:**.part");
    }

    @Test
    void aFullDiskIsAnExceptionWithThePathAndTheReason() throws IOException {
        Path device = Path.of("/dev/full");
        assumeTrue(Files.exists(device), "this system has no /dev/full");
        Path file = folder.resolve("a");
        SafeTensorsWriter.Entry full = new SafeTensorsWriter.Entry("x", ElementType.U8, Shape.of(1), channel -> {
            try (var disk = Files.newByteChannel(device, StandardOpenOption.WRITE)) {
                disk.write(ByteBuffer.allocate(1));
            }
        });
        assertThatThrownBy(() -> SafeTensorsWriter.write(file, Map.of(), List.of(full)))
                .isInstanceOf(SafeTensorsException.class)
                .hasMessageContainingAll(file.toString(), "No space left on device");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aContentOfTheWrongLengthIsRejected() {
        Path file = folder.resolve("a");
        SafeTensorsWriter.Entry tooShort = new SafeTensorsWriter.Entry(
                "x", ElementType.F32, Shape.of(3), channel -> channel.write(ByteBuffer.allocate(8)));
        assertThatThrownBy(() -> SafeTensorsWriter.write(file, Map.of(), List.of(tooShort)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("'x'", "8 bytes", "12");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aFolderThatIsMissingOrAFileIsNamed() throws IOException {
        Path missing = folder.resolve("none/a");
        assertThatThrownBy(() -> SafeTensorsWriter.write(missing, Map.of(), List.of()))
                .isInstanceOf(SafeTensorsException.class)
                .hasMessageContainingAll(missing.toString(), "no such");
        assertThatThrownBy(() -> SafeTensorsWriter.write(folder, Map.of(), List.of()))
                .isInstanceOf(SafeTensorsException.class)
                .hasMessageContaining("it is a folder");
    }

    @Test
    void entriesThatCannotBeWrittenAreRejected() {
        assertThatThrownBy(() -> SafeTensorsWriter.write(
                        folder.resolve("a"), Map.of(), List.of(floats("twice"), floats("twice"))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'twice'");
        assertThatThrownBy(() -> floats("__metadata__")).hasMessageContaining("__metadata__");
        assertThatThrownBy(() -> SafeTensorsWriter.Entry.of("x", DType.F32, Shape.of(4), FLOATS))
                .hasMessageContainingAll("'x'", "16 bytes", "12");
    }
}
