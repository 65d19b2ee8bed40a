package dev.velu.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Valid files give their contents; hostile ones a single line that names the file, the tensor and the values. */
class SafeTensorsFileTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("a.safetensors");
    }

    /** Single quotes in the header stand for double ones. */
    private void writeFile(String header, byte[] data) throws IOException {
        writeRaw(header.replace('\'', '"').getBytes(StandardCharsets.UTF_8), data);
    }

    private void writeRaw(byte[] header, byte[] data) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length).put(header).put(data);
        Files.write(file, bytes.array());
    }

    private void assertRejected(String... parts) {
        assertThatThrownBy(() -> SafeTensorsFile.open(file).close())
                .isInstanceOf(SafeTensorsException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContainingAll(parts)
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
    }

    private void assertHeaderRejected(String header, int dataBytes, String... parts) throws IOException {
        writeFile(header, new byte[dataBytes]);
        assertRejected(parts);
    }

    @Test
    void tensorsAndMetadataAreReadInTheOrderOfTheFile() throws IOException {
        byte[] data = ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putFloat(1.5f)
                .putFloat(-2)
                .putFloat(0.25f)
                .array();
        writeFile(
                "{'z':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'__metadata__':{'k':'v'},"
                        + "'a':{'data_offsets':[8,12],'shape':[],'dtype':'F32'}}   ",
                data);
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.names()).containsExactly("z", "a");
            assertThat(tensors.metadata()).containsExactly(Map.entry("k", "v"));
            assertThat(tensors.info("z")).isEqualTo(new TensorInfo("z", ElementType.F32, Shape.of(2), 0, 8));
            assertThat(tensors.toFloatArray("z")).containsExactly(1.5f, -2);
            assertThat(tensors.toFloatArray("a")).containsExactly(0.25f);
            assertThat(tensors.segment("a").isReadOnly()).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "F64, 8, 4609434218613702656, 1.5",
        "F16, 2, 15872, 1.5",
        "BF16, 2, 16320, 1.5",
        "I64, 8, -3, -3",
        "U64, 8, -1, 1.8446744073709552E19",
        "I32, 4, -3, -3",
        "U32, 4, -1, 4.294967296E9",
        "I16, 2, -3, -3",
        "U16, 2, -1, 65535",
        "I8, 1, -3, -3",
        "U8, 1, -1, 255",
        "BOOL, 1, 1, 1"
    })
    void everyRealTypeConvertsToFloat32(String dtype, int bytes, long bits, float expected) throws IOException {
        byte[] data = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(bits)
                .array();
        writeFile(
                "{'t':{'dtype':'" + dtype + "','shape':[1],'data_offsets':[0," + bytes + "]}}",
                Arrays.copyOf(data, bytes));
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.toFloatArray("t")).containsExactly(expected);
        }
    }

    @Test
    void integersKeepAll64Bits() throws IOException {
        byte[] data = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(Long.MAX_VALUE)
                .array();
        writeFile("{'n':{'dtype':'I64','shape':[],'data_offsets':[0,8]}}", data);
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.toLongArray("n")).containsExactly(Long.MAX_VALUE);
        }
    }

    @Test
    void anEmptyTensorAndAFileWithoutTensorsAreValid() throws IOException {
        writeFile("{'e':{'dtype':'F32','shape':[0,3],'data_offsets':[0,0]}}", new byte[0]);
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.toFloatArray("e")).isEmpty();
        }
        writeFile("{}", new byte[0]);
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThat(tensors.names()).isEmpty();
        }
    }

    @Test
    void aMissingTensorAndAWrongTypeAreNamed() throws IOException {
        writeFile("{'e':{'dtype':'F8_E4M3','shape':[1],'data_offsets':[0,1]}}", new byte[1]);
        try (SafeTensorsFile tensors = SafeTensorsFile.open(file)) {
            assertThatThrownBy(() -> tensors.info("x"))
                    .isInstanceOf(SafeTensorsException.class)
                    .hasMessageContaining("has no tensor 'x'");
            assertThatThrownBy(() -> tensors.toFloatArray("e")).hasMessageContainingAll("'e'", "F8_E4M3");
            assertThatThrownBy(() -> tensors.toLongArray("e")).hasMessageContainingAll("'e'", "F8_E4M3");
        }
    }

    @Test
    void useAfterCloseIsAnException() throws IOException {
        writeFile("{'t':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", new byte[1]);
        SafeTensorsFile tensors = SafeTensorsFile.open(file);
        var segment = tensors.segment("t");
        tensors.close();
        tensors.close();
        assertThatThrownBy(() -> tensors.segment("t")).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void filesThatAreNoneAreRejected() throws IOException {
        assertRejected("no such file");
        Files.write(file, new byte[0]);
        assertRejected("0 bytes");
        Files.write(file, "junk".getBytes(StandardCharsets.US_ASCII));
        assertRejected("4 bytes");
        Files.write(file, "this is a text file".getBytes(StandardCharsets.US_ASCII));
        assertRejected("not a safetensors file");
        Files.delete(file);
        Files.createDirectory(file);
        assertRejected("folder");
    }

    @Test
    void aHugeHeaderIsRejectedBeforeItIsRead() throws IOException {
        Files.write(
                file,
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(100_000_001)
                        .array());
        assertRejected("100000001", "limit of 100000000");
        Files.write(file, ByteBuffer.allocate(8).putLong(-1).array());
        assertRejected("18446744073709551615");
    }

    @Test
    void aHeaderLongerThanTheFileIsRejected() throws IOException {
        Files.write(
                file,
                ByteBuffer.allocate(10)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(3)
                        .put((byte) '{')
                        .array());
        assertRejected("3 bytes", "10 bytes");
    }

    @Test
    void offsetsOutOfRangeAreRejected() throws IOException {
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}", 4, "'t'", "[0, 8]", "4 bytes");
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[1],'data_offsets':[-4,0]}}", 4, "'t'", "[-4, 0]");
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[1],'data_offsets':[8,4]}}", 8, "'t'", "[8, 4]");
        assertHeaderRejected(
                "{'t':{'dtype':'U8','shape':[1],'data_offsets':[0,9223372036854775807]}}", 4, "9223372036854775807");
        assertHeaderRejected(
                "{'t':{'dtype':'U8','shape':[1],'data_offsets':[0,18446744073709551616]}}", 4, "18446744073709551616");
        assertHeaderRejected("{'t':{'dtype':'U8','shape':[1],'data_offsets':[0]}}", 1, "1 data_offsets");
        assertHeaderRejected("{'t':{'dtype':'U8','shape':[1],'data_offsets':[0,1,1]}}", 1, "more than 2");
    }

    @Test
    void overlappingTensorsAreRejected() throws IOException {
        assertHeaderRejected(
                "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[4],'data_offsets':[2,6]}}",
                6,
                "'b'",
                "begins at byte 2",
                "inside");
    }

    @Test
    void holesAndTrailingDataAreRejected() throws IOException {
        assertHeaderRejected(
                "{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'b':{'dtype':'U8','shape':[1],'data_offsets':[2,3]}}",
                3,
                "'b'",
                "begins at byte 2",
                "beyond");
        assertHeaderRejected("{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", 2, "end at byte 1", "2 bytes");
        assertHeaderRejected("{}", 1, "1 bytes");
    }

    @Test
    void sizesThatDisagreeWithTheDtypeAreRejected() throws IOException {
        assertHeaderRejected(
                "{'t':{'dtype':'F64','shape':[1],'data_offsets':[0,4]}}", 4, "'t'", "F64", "[1]", "4 bytes");
        assertHeaderRejected("{'t':{'dtype':'U8','shape':[-1],'data_offsets':[0,1]}}", 1, "'t'", "size -1");
        assertHeaderRejected(
                "{'t':{'dtype':'U8','shape':[4294967296,4294967296],'data_offsets':[0,1]}}", 1, "'t'", "2^63");
        assertHeaderRejected(
                "{'t':{'dtype':'F64','shape':[4611686018427387904],'data_offsets':[0,0]}}", 0, "4611686018427387904");
        assertHeaderRejected("{'t':{'dtype':'U8','shape':[1.5],'data_offsets':[0,1]}}", 1, "'1.5'");
        assertHeaderRejected("{'t':{'dtype':'U8','shape':1,'data_offsets':[0,1]}}", 1, "shape is not an array");
    }

    @Test
    void malformedTensorsAreRejected() throws IOException {
        assertHeaderRejected("{'t':{'dtype':'F33','shape':[],'data_offsets':[0,4]}}", 4, "'t'", "'F33'");
        assertHeaderRejected("{'t':{'dtype':7,'shape':[],'data_offsets':[0,4]}}", 4, "dtype is not a string");
        assertHeaderRejected("{'t':{'shape':[],'data_offsets':[0,4]}}", 4, "has no dtype");
        assertHeaderRejected("{'t':{'dtype':'F32','data_offsets':[0,4]}}", 4, "has no shape");
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[]}}", 4, "has no data_offsets");
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[],'data_offsets':[0,4],'x':1}}", 4, "'x'");
        assertHeaderRejected("{'t':[]}", 0, "'t' is not an object");
    }

    @Test
    void malformedJsonIsRejected() throws IOException {
        assertHeaderRejected("[]", 0, "begins with '['");
        assertHeaderRejected("", 0, "begins with nothing");
        assertHeaderRejected("{'t'", 0, "not valid JSON");
        assertHeaderRejected("{} {}", 0, "goes on");
        assertHeaderRejected("{'a':{'b':{'c':{'d':{}}}}}", 0, "'a'", "'b'");
        assertHeaderRejected("{'t':{'dtype':'F32','shape':[[[[[", 0, "nesting depth");
        assertHeaderRejected(
                "{'t':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'t':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}",
                1,
                "Duplicate");
        assertHeaderRejected("{'__metadata__':{'a':'1','a':'2'}}", 0, "Duplicate");
        assertHeaderRejected("{'__metadata__':{'a':1}}", 0, "'a' is not a string");
        assertHeaderRejected("{'__metadata__':'a'}", 0, "not an object of strings");
        writeRaw(new byte[] {'{', (byte) 0xC3, '}'}, new byte[0]);
        assertRejected("not UTF-8");
    }

    @Test
    void controlCharactersOfAHostileNameDoNotReachTheMessage() throws IOException {
        assertHeaderRejected("{'a\\n\\u001b[31m':[]}", 0, "\\u000a\\u001b");
    }
}
