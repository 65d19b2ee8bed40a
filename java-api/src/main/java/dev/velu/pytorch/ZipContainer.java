package dev.velu.pytorch;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * The form since PyTorch 1.6: a zip file with the description in {@code NAME/data.pkl} and one entry {@code NAME/data/KEY} for every
 * block of data. Stored entries, which is what PyTorch writes, are read where they lie; deflated ones are unpacked when they are
 * first asked for.
 */
final class ZipContainer implements Container {
    /** The most bytes that are unpacked of one file. A small file can claim to unpack to any size. */
    private static final long MOST_UNPACKED = 4L << 30;

    private static final String PICKLE = "data.pkl";

    private final Path path;
    private final Arena arena;
    private final ZipDirectory zip;
    private final String folder;
    private final Object root;
    private final Map<String, MemorySegment> unpacked = new HashMap<>();
    private long unpackedBytes;

    /** @param arena lives as long as the file is open */
    ZipContainer(Path path, MemorySegment file, Arena arena) throws PyTorchException {
        this.path = path;
        this.arena = arena;
        zip = new ZipDirectory(path, file);
        ZipDirectory.Entry pickle = zip.entries().values().stream()
                .filter(entry -> entry.name().equals(PICKLE) || entry.name().endsWith("/" + PICKLE))
                .findFirst()
                .orElseThrow(() -> new PyTorchException(
                        path, "is a zip file without " + PICKLE + ", so not one that torch.save wrote"));
        folder = pickle.name().substring(0, pickle.name().length() - PICKLE.length());
        if (zip.entries().containsKey(folder + "constants.pkl")) {
            throw new PyTorchException(
                    path,
                    "holds a TorchScript program, which is not run; save the weights alone, in Python:"
                            + " torch.save(torch.jit.load(FILE).state_dict(), OTHER)");
        }
        requireLittleEndian();
        if (pickle.size() > Unpickler.LARGEST) {
            throw new PyTorchException(
                    path,
                    "the description of the tensors has " + pickle.size() + " bytes, above " + Unpickler.LARGEST
                            + ", the limit");
        }
        root = new Unpickler(path, bytes(pickle)).read();
    }

    private void requireLittleEndian() throws PyTorchException {
        ZipDirectory.Entry order = zip.entries().get(folder + "byteorder");
        if (order == null) {
            return;
        }
        String text = order.size() > 100
                ? "a long text"
                : new String(bytes(order).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        if (!text.equals("little")) {
            throw new PyTorchException(
                    path, "has the byte order " + PyTorchException.quote(text) + "; little-endian files are read");
        }
    }

    @Override
    public Object root() {
        return root;
    }

    @Override
    public void check(Storage block) throws PyTorchException {
        ZipDirectory.Entry entry = entry(block);
        long needed = block.blockElements() * block.dtype().bytes();
        if (entry.size() != needed) {
            throw new PyTorchException(
                    path,
                    "is damaged: its entry " + PyTorchException.quote(entry.name()) + " has " + entry.size()
                            + " bytes, its storage of " + block.blockElements() + " " + block.dtype() + " takes "
                            + needed);
        }
        if (entry.isStored()) {
            zip.packed(entry);
        }
    }

    private ZipDirectory.Entry entry(Storage block) throws PyTorchException {
        ZipDirectory.Entry entry = zip.entries().get(folder + "data/" + block.key());
        if (entry == null) {
            throw new PyTorchException(
                    path, "is damaged: the data of storage " + PyTorchException.quote(block.key()) + " are missing");
        }
        return entry;
    }

    @Override
    public MemorySegment data(Storage block) throws PyTorchException {
        return bytes(entry(block));
    }

    private MemorySegment bytes(ZipDirectory.Entry entry) throws PyTorchException {
        if (entry.isStored()) {
            return zip.packed(entry);
        }
        MemorySegment known = unpacked.get(entry.name());
        if (known != null) {
            return known;
        }
        if (entry.size() > MOST_UNPACKED - unpackedBytes) {
            throw new PyTorchException(
                    path,
                    "unpacks to more than " + (MOST_UNPACKED >> 20) + " MiB, the limit; save it without compression");
        }
        // At most a thousandfold: what is unpacked is bounded by the file before memory is asked for.
        if (entry.size() / 1100 > entry.compressed()) {
            throw new PyTorchException(
                    path,
                    "is damaged: its entry " + PyTorchException.quote(entry.name()) + " cannot unpack from "
                            + entry.compressed() + " to " + entry.size() + " bytes");
        }
        MemorySegment bytes = arena.allocate(entry.size());
        zip.inflate(entry, bytes);
        unpackedBytes += entry.size();
        unpacked.put(entry.name(), bytes);
        return bytes;
    }
}
