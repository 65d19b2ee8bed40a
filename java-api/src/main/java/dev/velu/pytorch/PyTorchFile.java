package dev.velu.pytorch;

import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.TensorFile;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * A file of {@code torch.save} with a dictionary of tensors, mapped into memory read-only and checked when it is opened: the
 * zip form and the one before PyTorch 1.6. A dictionary inside another one, as training scripts write it
 * ({@code {"state_dict": ...}}), is found; what else lies beside it is left alone.
 *
 * <p>Used by one thread at a time. A file must not be cut short by another process while it is open.
 */
public final class PyTorchFile implements TensorFile {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int ZIP = 0x04034b50;

    /** Where scripts put the weights, the likeliest first. */
    private static final List<String> WRAPPERS =
            List.of("state_dict", "model_state_dict", "model", "module", "net", "network", "weights");

    private static final int DEEPEST_WRAPPER = 4;
    private static final int NAMED_KEYS = 6;

    private final Path path;
    private final Arena arena;
    private final Container container;
    private final Map<String, StoredTensor> tensors;

    private PyTorchFile(Path path, Arena arena) throws PyTorchException {
        this.path = path;
        this.arena = arena;
        MemorySegment file = map(path, arena);
        boolean zip = file.byteSize() >= Integer.BYTES && file.get(INT, 0) == ZIP;
        container = zip ? new ZipContainer(path, file, arena) : new LegacyContainer(path, file);
        tensors = tensors();
        for (StoredTensor tensor : tensors.values()) {
            container.check(tensor.storage());
        }
    }

    /**
     * Opens and checks a file.
     *
     * @throws PyTorchException if it cannot be read, is damaged, holds anything but tensors or no dictionary of them; names
     *     the file and the reason
     */
    public static PyTorchFile open(Path path) throws PyTorchException {
        Arena arena = Arena.ofShared();
        try {
            PyTorchFile file = new PyTorchFile(path, arena);
            arena = null;
            return file;
        } finally {
            if (arena != null) {
                arena.close();
            }
        }
    }

    private static MemorySegment map(Path path, Arena arena) throws PyTorchException {
        if (Files.isDirectory(path)) {
            throw new PyTorchException(path, "this is a folder, not a file of torch.save");
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new PyTorchException(path, "cannot be read: " + PyTorchException.reason(e), e);
        }
    }

    private Map<String, StoredTensor> tensors() throws PyTorchException {
        Object found = container.root();
        for (int depth = 0; depth < DEEPEST_WRAPPER; depth++) {
            if (!(found instanceof Map<?, ?> dictionary)) {
                break;
            }
            Object inner = WRAPPERS.stream()
                    .map(dictionary::get)
                    .filter(value -> value instanceof Map<?, ?>)
                    .findFirst()
                    .orElse(null);
            Map<String, StoredTensor> here = tensorsOf(dictionary);
            if (inner == null && !here.isEmpty()) {
                return here;
            }
            found = inner;
        }
        throw new PyTorchException(path, "holds no dictionary of tensors, but " + kind(container.root()));
    }

    private static Map<String, StoredTensor> tensorsOf(Map<?, ?> dictionary) {
        Map<String, StoredTensor> tensors = new LinkedHashMap<>();
        dictionary.forEach((name, value) -> {
            StoredTensor tensor = value instanceof ParameterBox box ? box.tensor : null;
            if (value instanceof StoredTensor plain) {
                tensor = plain;
            }
            if (tensor != null && name instanceof String text) {
                tensors.put(text, tensor);
            }
        });
        return tensors;
    }

    private static String kind(Object root) {
        return switch (Objects.requireNonNullElse(root, "None")) {
            case Map<?, ?> dictionary ->
                dictionary.isEmpty()
                        ? "an empty one"
                        : "one with the keys "
                                + dictionary.keySet().stream()
                                        .limit(NAMED_KEYS)
                                        .map(key -> PyTorchException.quote(String.valueOf(key)))
                                        .collect(Collectors.joining(", "))
                                + (dictionary.size() > NAMED_KEYS
                                        ? " and " + (dictionary.size() - NAMED_KEYS) + " more"
                                        : "");
            case StoredTensor tensor -> "a single tensor of shape " + tensor.shape();
            default -> "something else";
        };
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    @Override
    public boolean contains(String name) {
        return tensors.containsKey(name);
    }

    @Override
    public ElementType dtype(String name) throws PyTorchException {
        return tensor(name).storage().dtype();
    }

    @Override
    public Shape shape(String name) throws PyTorchException {
        return tensor(name).shape();
    }

    private StoredTensor tensor(String name) throws PyTorchException {
        StoredTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new PyTorchException(
                    path, "has no tensor " + PyTorchException.quote(name) + " among its " + tensors.size());
        }
        return tensor;
    }

    @Override
    public void copyTo(String name, long first, MemorySegment destination) throws PyTorchException {
        StoredTensor tensor = tensor(name);
        if (!tensor.storage().dtype().convertible()) {
            throw new PyTorchException(
                    path,
                    "tensor " + PyTorchException.quote(name) + " of "
                            + tensor.storage().dtype() + " has no conversion to F32");
        }
        if (destination.byteSize() % Float.BYTES != 0) {
            throw new IllegalArgumentException(
                    "a destination of " + destination.byteSize() + " bytes does not hold whole elements of 4 bytes");
        }
        long count = destination.byteSize() / Float.BYTES;
        Objects.checkFromIndexSize(first, count, tensor.shape().elements());
        if (count > 0) {
            tensor.copyTo(data(tensor), first, destination);
        }
    }

    @Override
    public long[] toLongArray(String name) throws PyTorchException {
        StoredTensor tensor = tensor(name);
        if (!tensor.storage().dtype().integral()) {
            throw new PyTorchException(
                    path,
                    "tensor " + PyTorchException.quote(name) + " of "
                            + tensor.storage().dtype() + " does not hold integers");
        }
        if (tensor.shape().elements() > Integer.MAX_VALUE - 8) {
            throw new PyTorchException(
                    path,
                    "tensor " + PyTorchException.quote(name) + " has "
                            + tensor.shape().elements() + " elements, more than an array holds");
        }
        return tensor.shape().elements() == 0 ? new long[0] : tensor.toLongArray(data(tensor));
    }

    private MemorySegment data(StoredTensor tensor) throws PyTorchException {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("the file " + path + " is closed");
        }
        return container.data(tensor.storage());
    }

    /** Unmaps the file. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    @Override
    public String toString() {
        return "PyTorchFile[" + path + ", " + tensors.size() + " tensors]";
    }
}
