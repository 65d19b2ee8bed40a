package dev.velu.pytorch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.safetensors.ElementType;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PyTorchFileTest {
    @TempDir
    Path folder;

    private static float[] floats(PyTorchFile file, String name) throws PyTorchException {
        float[] values = new float[(int) file.shape(name).elements()];
        file.copyTo(name, 0, MemorySegment.ofArray(values));
        return values;
    }

    private Path path() {
        return folder.resolve("file.pth");
    }

    /** {@code {"weight": float32 [2] of block 0}}. */
    private static byte[] oneVector() {
        return Pickle.begin().op('}').text("weight").vector("0", 2).op('s').end();
    }

    private static Map<String, byte[]> oneBlock() {
        return Map.of("0", SavedFiles.floats(1.5f, -2));
    }

    private void assertRefused(Path path, String problem) {
        assertThatThrownBy(() -> PyTorchFile.open(path))
                .isInstanceOf(PyTorchException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(problem)
                .extracting(Throwable::getMessage)
                .asString()
                .hasLineCount(1);
    }

    private void assertPickleRefused(byte[] pickle, String problem) throws IOException {
        assertRefused(SavedFiles.zip(path(), pickle, oneBlock()), problem);
        boolean refers = new String(pickle, StandardCharsets.ISO_8859_1).contains("FloatStorage");
        assertRefused(SavedFiles.legacy(path(), pickle, refers ? oneBlock() : Map.of()), problem);
    }

    // ---- What PyTorch writes
    // -----------------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(strings = {"zip.pth", "legacy.pth"})
    void tensorsThatPyTorchSavedAreReadWithTheirValues(String name) throws PyTorchException {
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.resource(folder, name))) {
            assertThat(file.names())
                    .containsExactly(
                            "plain.weight",
                            "transposed.weight",
                            "half.weight",
                            "bfloat16.weight",
                            "double.weight",
                            "shared.first",
                            "shared.second",
                            "parameter",
                            "num_batches_tracked",
                            "empty");
            assertThat(file.shape("plain.weight")).isEqualTo(Shape.of(2, 3));
            assertThat(floats(file, "plain.weight")).containsExactly(0, 0.25f, 0.5f, 0.75f, 1, 1.25f);
            assertThat(file.shape("transposed.weight")).isEqualTo(Shape.of(3, 2));
            assertThat(floats(file, "transposed.weight")).containsExactly(0, 3, 1, 4, 2, 5);
            assertThat(file.dtype("half.weight")).isEqualTo(ElementType.F16);
            assertThat(floats(file, "half.weight")).containsExactly(0.5f, -1.25f, 65504);
            assertThat(floats(file, "bfloat16.weight")).containsExactly(1, -2.5f, 3.140625f);
            assertThat(floats(file, "double.weight")).containsExactly(1 / 3f, 1e-3f);
            assertThat(floats(file, "shared.first")).containsExactly(0, 1, 2, 3);
            assertThat(floats(file, "shared.second")).containsExactly(5, 6, 9, 10);
            assertThat(floats(file, "parameter")).containsExactly(7, 8);
            assertThat(file.shape("num_batches_tracked")).isEqualTo(Shape.of());
            assertThat(file.toLongArray("num_batches_tracked")).containsExactly(42);
            assertThat(file.shape("empty")).isEqualTo(Shape.of(0));
            assertThat(floats(file, "empty")).isEmpty();
        }
    }

    @Test
    void aPartOfATensorIsReadFromAnyElementOn() throws PyTorchException {
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.resource(folder, "zip.pth"))) {
            float[] part = new float[3];
            file.copyTo("transposed.weight", 2, MemorySegment.ofArray(part));
            assertThat(part).containsExactly(1, 4, 2);
            file.copyTo("half.weight", 1, MemorySegment.ofArray(part).asSlice(0, 8));
            assertThat(part).containsExactly(-1.25f, 65504, 2);
            assertThatThrownBy(() -> file.copyTo("half.weight", 1, MemorySegment.ofArray(part)))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void nothingCanBeReadFromAClosedFile() throws PyTorchException {
        PyTorchFile file = PyTorchFile.open(SavedFiles.resource(folder, "zip.pth"));
        file.close();
        assertThatThrownBy(() -> floats(file, "plain.weight"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("is closed");
    }

    @Test
    void deflatedEntriesAreUnpacked() throws IOException {
        float[] values = new float[100_000];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 7;
        }
        byte[] pickle = Pickle.begin()
                .op('}')
                .text("weight")
                .vector("0", values.length)
                .op('s')
                .end();
        SavedFiles.zip(path(), ZipEntry.DEFLATED, SavedFiles.entries(pickle, Map.of("0", SavedFiles.floats(values))));
        try (PyTorchFile file = PyTorchFile.open(path())) {
            assertThat(floats(file, "weight")).containsExactly(values);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"state_dict", "model_state_dict", "model", "net"})
    void aDictionaryInADictionaryIsFoundAmongOtherThings(String wrapper) throws IOException {
        byte[] pickle = Pickle.begin()
                .op('}')
                .mark()
                .text("epoch")
                .number(3)
                .text("best")
                .vector("1", 1)
                .text(wrapper)
                .orderedDict()
                .text("weight")
                .vector("0", 2)
                .op('s')
                .op('u')
                .end();
        Map<String, byte[]> blocks = new LinkedHashMap<>(oneBlock());
        blocks.put("1", SavedFiles.floats(9));
        assertThat(SavedFiles.names(SavedFiles.zip(path(), pickle, blocks))).containsExactly("weight");
    }

    /** PyTorch 0.1 kept the parameters themselves, made of their tensor and given attributes afterwards. */
    @Test
    void parametersOfTheOldestFilesAreTheirTensors() throws IOException {
        byte[] pickle = Pickle.begin()
                .orderedDict()
                .mark()
                .text("first")
                .global("torch.nn.parameter", "Parameter")
                .vector("0", 2)
                .op(0x85)
                .op('R')
                .mark()
                .op(0x88)
                .op(0x89)
                .orderedDict()
                .tuple()
                .op('b')
                .text("second")
                .global("torch.nn.parameter", "Parameter")
                .op(')')
                .op(0x81)
                .mark()
                .vector("0", 2)
                .op('N')
                .orderedDict()
                .op(0x88)
                .op(0x89)
                .tuple()
                .op('b')
                .op('u')
                .end();
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.legacy(path(), pickle, oneBlock()))) {
            assertThat(floats(file, "first")).containsExactly(1.5f, -2);
            assertThat(floats(file, "second")).containsExactly(1.5f, -2);
        }
    }

    /** {@code _rebuild_tensor} of four arguments, texts of Python 2, views of a storage. */
    @Test
    void theOldestSpellingsOfTensorsAreRead() throws IOException {
        byte[] pickle = Pickle.begin()
                .global("collections", "OrderedDict")
                .op(']')
                .op(']')
                .mark()
                .op('U')
                .op(6)
                .raw("weight".getBytes(StandardCharsets.UTF_8))
                .global("torch._utils", "_rebuild_tensor")
                .mark()
                .mark()
                .text("storage")
                .global("torch.cuda", "FloatStorage")
                .text("0")
                .text("cuda:0")
                .number(2)
                .text("view")
                .number(1)
                .number(1)
                .op(0x87)
                .tuple()
                .op('Q')
                .number(0)
                .numbers(1)
                .numbers(1)
                .tuple()
                .op('R')
                .op('e')
                .op('a')
                .op(0x85)
                .op('R')
                .end();
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.legacy(path(), pickle, oneBlock()))) {
            assertThat(floats(file, "weight")).containsExactly(-2);
        }
    }

    // ---- What is refused
    // ---------------------------------------------------------------------------------------------

    @ParameterizedTest
    @CsvSource({
        "os, system",
        "posix, system",
        "builtins, eval",
        "torch.storage, _load_from_bytes",
        "torchvision.models.resnet, ResNet",
        "collections, defaultdict",
        "torch, load",
    })
    void whatIsNoTensorIsRefusedByItsName(String module, String name) throws IOException {
        String problem = "refused: it would call " + module + "." + name + "; only tensors are read";
        assertPickleRefused(
                Pickle.begin()
                        .op('}')
                        .text("weight")
                        .global(module, name)
                        .text("rm -rf /")
                        .op(0x85)
                        .op('R')
                        .op('s')
                        .end(),
                problem);
        assertPickleRefused(
                Pickle.begin().text(module).text(name).op(0x93).op(')').op('R').end(), problem);
    }

    @Test
    void aNameWithControlCharactersStaysOnOneLine() throws IOException {
        assertPickleRefused(
                Pickle.begin().text("os\n\u001b[31m").text("x").op(0x93).end(),
                "refused: it would call os\\u000a\\u001b");
    }

    @ParameterizedTest
    @CsvSource({"i", "o", "P", "I", "S", "\u0082", "\u0092"})
    void operationsThatMakeOtherObjectsAreRefused(char opcode) throws IOException {
        assertPickleRefused(
                Pickle.begin().op('}').op(opcode).op('.').end(),
                String.format("refused: operation 0x%02x at byte", (int) opcode));
    }

    @Test
    void onlyKnownFunctionsAreCalled() throws IOException {
        assertPickleRefused(
                Pickle.begin().text("print").op(')').op('R').end(), "a call of something that is not a function");
        assertPickleRefused(
                Pickle.begin().global("torch", "FloatStorage").op(')').op('R').end(),
                "a call of something that is not a function");
    }

    @Test
    void attributesAreSetOnNothingButDictionariesAndParameters() throws IOException {
        assertPickleRefused(Pickle.begin().text("x").op('}').op('b').end(), "attributes for something that has none");
    }

    @Test
    void onlyStoragesLieOutsideThePickle() throws IOException {
        assertPickleRefused(
                Pickle.begin().text("module").op(0x85).op('Q').end(),
                "refused: it refers to something outside the pickle that is not a storage");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0   | 3       | 1  | a tensor of shape [3] reaches beyond the 2 elements of its storage",
                "1   | 2       | 1  | reaches beyond the 2 elements of its storage",
                "-1  | 1       | 1  | has the offset -1",
                "0   | -2      | 1  | size -2 in shape [-2] is negative",
                "0   | 2       | -1 | has the stride -1",
                "0   | 2       | 9223372036854775807 | reaches beyond the 2 elements of its storage",
                "9223372036854775807 | 2 | 9223372036854775807 | reaches beyond the 2 elements of its storage",
            })
    void aTensorBeyondItsStorageIsRefused(long offset, long size, long stride, String problem) throws IOException {
        byte[] pickle = Pickle.begin()
                .op('}')
                .text("weight")
                .tensor("FloatStorage", "0", 2, offset, new long[] {size}, new long[] {stride})
                .op('s')
                .end();
        assertPickleRefused(pickle, problem);
    }

    @Test
    void aShapeWithTooManyElementsIsRefused() throws IOException {
        long[] huge = {1L << 40, 1L << 40};
        assertPickleRefused(
                Pickle.begin()
                        .op('}')
                        .text("weight")
                        .tensor("FloatStorage", "0", 2, 0, huge, new long[] {0, 0})
                        .op('s')
                        .end(),
                "has more than 2^63 - 1 elements");
    }

    /** Strides of zero repeat an element: nothing is allocated for them before they are read. */
    @Test
    void aTensorThatRepeatsItsElementsTakesNoMemory() throws IOException {
        byte[] pickle = Pickle.begin()
                .op('}')
                .text("weight")
                .tensor("FloatStorage", "0", 2, 1, new long[] {1L << 50}, new long[] {0})
                .op('s')
                .end();
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.zip(path(), pickle, oneBlock()))) {
            float[] part = new float[2];
            file.copyTo("weight", 1L << 49, MemorySegment.ofArray(part));
            assertThat(part).containsExactly(-2, -2);
        }
    }

    @Test
    void aStorageOfAnotherSizeThanItsDataIsRefused() throws IOException {
        byte[] pickle =
                Pickle.begin().op('}').text("weight").vector("0", 1000).op('s').end();
        assertRefused(
                SavedFiles.zip(path(), pickle, oneBlock()),
                "its entry 'archive/data/0' has 8 bytes, its storage of 1000 F32 takes 4000");
        assertRefused(
                SavedFiles.legacy(path(), pickle, oneBlock()), "storage '0' has 2 elements, its description says 1000");
    }

    @Test
    void aStorageWithoutDataIsRefused() throws IOException {
        byte[] pickle =
                Pickle.begin().op('}').text("weight").vector("7", 2).op('s').end();
        assertRefused(SavedFiles.zip(path(), pickle, oneBlock()), "the data of storage '7' are missing");
        assertRefused(SavedFiles.legacy(path(), pickle, Map.of()), "the data of storage '7' are missing");
    }

    @Test
    void deepNestingIsHarmless() throws IOException {
        Pickle pickle = Pickle.begin();
        for (int i = 0; i < 500_000; i++) {
            pickle.op(']');
        }
        for (int i = 0; i < 499_999; i++) {
            pickle.op('a');
        }
        assertPickleRefused(pickle.end(), "holds no dictionary of tensors, but something else");
    }

    /** Lists of lists that would unfold to 2^60 objects, and a list that holds itself. */
    @Test
    void objectsThatShareObjectsAreNotUnfolded() throws IOException {
        Pickle pickle = Pickle.begin().op('}').text("bomb").op(')');
        for (int i = 0; i < 60; i++) {
            pickle.op('q').op(i).op('h').op(i).op(0x86);
        }
        pickle.op('s')
                .text("self")
                .op('}')
                .op('q')
                .op(200)
                .text("again")
                .op('h')
                .op(200)
                .op('s')
                .op('s');
        assertPickleRefused(pickle.end(), "holds no dictionary of tensors, but one with the keys 'bomb', 'self'");
    }

    @Test
    void aTupleIsNoKeyOfADictionary() throws IOException {
        assertPickleRefused(
                Pickle.begin().op('}').op(')').number(1).op('s').end(),
                "a dictionary with a key that is neither a text nor a number");
    }

    @Test
    void referencesToWhatWasNotKeptAreRefused() throws IOException {
        assertPickleRefused(Pickle.begin().op('j').int32(-1).end(), "a reference to object -1, which was not kept");
        // A memo index costs nothing, however large it is.
        byte[] pickle = Pickle.begin()
                .op('}')
                .op('r')
                .int32(Integer.MAX_VALUE)
                .text("weight")
                .vector("0", 2)
                .op('s')
                .end();
        assertThat(SavedFiles.names(SavedFiles.zip(path(), pickle, oneBlock()))).containsExactly("weight");
    }

    @Test
    void operationsWithoutOperandsAreRefused() throws IOException {
        for (char opcode : new char[] {'.', 'R', 'b', 'a', 'e', 's', 'u', 't', 'Q', 'q'}) {
            assertPickleRefused(Pickle.begin().op(opcode).op(0).op('.').bytes(), "is damaged: its pickle has ");
        }
    }

    @Test
    void aTextLongerThanTheFileIsRefused() throws IOException {
        byte[] pickle = Pickle.begin().op('X').int32(-1).end();
        assertRefused(
                SavedFiles.zip(path(), pickle, oneBlock()), "is damaged: its pickle has a text of 4294967295 bytes");
        pickle = Pickle.begin().op('X').int32(1 << 20).end();
        assertRefused(SavedFiles.zip(path(), pickle, oneBlock()), "is cut off");
    }

    @Test
    void tooManyOperationsAreRefused() throws IOException {
        byte[] many = new byte[2_100_000];
        Arrays.fill(many, (byte) 'N');
        assertPickleRefused(Pickle.begin().raw(many).end(), "has more than 2000000 operations, the limit");
    }

    @ParameterizedTest
    @ValueSource(strings = {"zip.pth", "legacy.pth"})
    void aFileThatIsCutOffIsRefused(String name) throws IOException {
        byte[] whole = Files.readAllBytes(SavedFiles.resource(folder, name));
        for (int length = 0; length < whole.length; length += 11) {
            Path cut = Files.write(path(), Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> PyTorchFile.open(cut))
                    .describedAs("%d bytes", length)
                    .isInstanceOf(PyTorchException.class);
        }
    }

    /** Whatever is in the file, it is read or refused in words. */
    @ParameterizedTest
    @ValueSource(strings = {"zip.pth", "legacy.pth"})
    void aFileWithAByteChangedIsReadOrRefused(String name) throws IOException {
        byte[] whole = Files.readAllBytes(SavedFiles.resource(folder, name));
        for (int i = 0; i < whole.length; i += 7) {
            byte[] changed = whole.clone();
            changed[i] ^= (byte) (1 << i % 8);
            Files.write(path(), changed);
            try (PyTorchFile file = PyTorchFile.open(path())) {
                for (String tensor : file.names()) {
                    if (file.shape(tensor).elements() < 1000) {
                        floats(file, tensor);
                    }
                }
            } catch (PyTorchException e) {
                assertThat(e).hasMessageStartingWith(path() + ": ");
            }
        }
    }

    @Test
    void filesThatHoldNoDictionaryOfTensorsAreNamed() throws IOException {
        assertPickleRefused(Pickle.begin().op('}').end(), "holds no dictionary of tensors, but an empty one");
        assertPickleRefused(Pickle.begin().number(3).end(), "but something else");
        assertPickleRefused(
                Pickle.begin().op('}').text("epoch").number(3).op('s').end(), "but one with the keys 'epoch'");
        assertPickleRefused(Pickle.begin().vector("0", 2).end(), "but a single tensor of shape [2]");
    }

    @Test
    void aZipFileOfSomethingElseIsNamed() throws IOException {
        assertRefused(
                SavedFiles.zip(path(), ZipEntry.DEFLATED, Map.of("a.txt", new byte[3])),
                "is a zip file without data.pkl");
        Map<String, byte[]> entries = SavedFiles.entries(oneVector(), oneBlock());
        entries.put("archive/constants.pkl", new byte[3]);
        assertRefused(
                SavedFiles.zip(path(), ZipEntry.STORED, entries), "holds a TorchScript program, which is not run");
    }

    @Test
    void bigEndianFilesAreRefused() throws IOException {
        Map<String, byte[]> entries = SavedFiles.entries(oneVector(), oneBlock());
        entries.put("archive/byteorder", "big".getBytes(StandardCharsets.UTF_8));
        assertRefused(SavedFiles.zip(path(), ZipEntry.STORED, entries), "has the byte order 'big'");
    }

    @Test
    void aPickleOfSomethingElseIsNamed() throws IOException {
        assertRefused(
                Files.write(path(), Pickle.begin().number(5).end()), "is a pickle, but not one that torch.save wrote");
    }

    /** A deflated entry whose directory claims a size that no such data unpack to. */
    @ParameterizedTest
    @CsvSource({
        "7, is larger than it says",
        "9, is smaller than it says",
        "1000000000, cannot unpack from",
        "9000000000000000000, unpacks to more than 4096 MiB",
    })
    void anEntryThatUnpacksToAnotherSizeIsRefusedBeforeMemoryIsTaken(long claimed, String problem) throws IOException {
        byte[] pickle = Pickle.begin()
                .op('}')
                .text("weight")
                .tensor("ByteStorage", "0", claimed, 0, new long[] {1}, new long[] {1})
                .op('s')
                .end();
        SavedFiles.zip(path(), ZipEntry.DEFLATED, SavedFiles.entries(pickle, oneBlock()));
        claimSize(claimed);
        try (PyTorchFile file = PyTorchFile.open(path())) {
            assertThatThrownBy(() -> floats(file, "weight"))
                    .isInstanceOf(PyTorchException.class)
                    .hasMessageContaining(problem);
        }
    }

    /** Rewrites the size of the last entry in the directory, with an extra field of 64-bit sizes. */
    private void claimSize(long claimed) throws IOException {
        ByteBuffer old = ByteBuffer.wrap(Files.readAllBytes(path())).order(ByteOrder.LITTLE_ENDIAN);
        int end = old.capacity() - 22;
        int directory = old.getInt(end + 16);
        int last = directory;
        for (int at = directory; at < end; at += 46 + old.getShort(at + 28) + old.getShort(at + 30)) {
            last = at;
        }
        byte[] extra = ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putShort((short) 1)
                .putShort((short) 8)
                .putLong(claimed)
                .array();
        old.putInt(last + 24, -1);
        old.putShort(last + 30, (short) extra.length);
        old.putInt(end + 12, old.getInt(end + 12) + extra.length);
        ByteBuffer changed = ByteBuffer.allocate(old.capacity() + extra.length);
        changed.put(old.array(), 0, end).put(extra).put(old.array(), end, 22);
        Files.write(path(), changed.array());
    }

    @Test
    void filesThatCannotBeReadAreNamed() {
        assertRefused(folder, "this is a folder");
        assertRefused(folder.resolve("none.pth"), "cannot be read: no such file or folder");
    }

    @Test
    void aTensorThatIsNotThereIsNamed() throws PyTorchException {
        try (PyTorchFile file = PyTorchFile.open(SavedFiles.resource(folder, "zip.pth"))) {
            assertThatThrownBy(() -> file.shape("nothing"))
                    .hasMessageContaining("has no tensor 'nothing' among its 10");
            assertThatThrownBy(() -> file.toLongArray("half.weight")).hasMessageContaining("does not hold integers");
        }
    }
}
