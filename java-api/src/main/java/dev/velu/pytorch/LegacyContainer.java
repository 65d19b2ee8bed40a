package dev.velu.pytorch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The form before PyTorch 1.6: five pickles (a magic number, the version of the form, facts of the machine, what was saved, the
 * keys of the blocks of data), then for every block in the order of the keys its number of elements (int64) and its bytes.
 */
final class LegacyContainer implements Container {
    private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
    private static final long VERSION = 1001;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final Object root;
    private final Map<String, MemorySegment> blocks = new HashMap<>();

    LegacyContainer(Path path, MemorySegment file) throws PyTorchException {
        this.path = path;
        Unpickler unpickler = new Unpickler(path, file);
        if (!MAGIC.equals(unpickler.read())) {
            throw new PyTorchException(path, "is a pickle, but not one that torch.save wrote");
        }
        Object version = unpickler.read();
        if (!Long.valueOf(VERSION).equals(version)) {
            throw new PyTorchException(path, "is of another version of torch.save than " + VERSION + ", the one read");
        }
        if (unpickler.read() instanceof Map<?, ?> machine && Boolean.FALSE.equals(machine.get("little_endian"))) {
            throw new PyTorchException(path, "was written on a big-endian machine; little-endian files are read");
        }
        root = unpickler.read();
        Map<String, Storage> described = Map.copyOf(unpickler.blocks());
        if (!(unpickler.read() instanceof List<?> keys)) {
            throw new PyTorchException(path, "is damaged: the list of its storages is missing");
        }
        long position = unpickler.position();
        for (Object key : keys) {
            position = readBlock(file, position, key, described);
        }
    }

    private long readBlock(MemorySegment file, long position, Object key, Map<String, Storage> described)
            throws PyTorchException {
        Storage block = key instanceof String || key instanceof Long ? described.get(key.toString()) : null;
        if (block == null) {
            throw new PyTorchException(path, "is damaged: it lists a storage that nothing refers to");
        }
        String name = "storage " + PyTorchException.quote(block.key());
        if (file.byteSize() - position < Long.BYTES) {
            throw cutOff(name);
        }
        long elements = file.get(LONG, position);
        if (elements != block.blockElements()) {
            throw new PyTorchException(
                    path,
                    "is damaged: " + name + " has " + elements + " elements, its description says "
                            + block.blockElements());
        }
        long begin = position + Long.BYTES;
        long bytes = elements * block.dtype().bytes();
        if (bytes > file.byteSize() - begin) {
            throw cutOff(name);
        }
        blocks.put(block.key(), file.asSlice(begin, bytes));
        return begin + bytes;
    }

    private PyTorchException cutOff(String name) {
        return new PyTorchException(path, "is cut off in " + name + "; the file is incomplete, get it again");
    }

    @Override
    public Object root() {
        return root;
    }

    @Override
    public void check(Storage block) throws PyTorchException {
        data(block);
    }

    @Override
    public MemorySegment data(Storage block) throws PyTorchException {
        MemorySegment bytes = blocks.get(block.key());
        if (bytes == null) {
            throw new PyTorchException(
                    path, "is damaged: the data of storage " + PyTorchException.quote(block.key()) + " are missing");
        }
        return bytes;
    }
}
