package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * CIFAR-10 and CIFAR-100 in their binary version: records of a label (CIFAR-100: a coarse and a fine one, of which the
 * fine one counts) and 32 x 32 pixels in planes of red, green and blue.
 */
final class CifarDataset {

    private static final PixelLayout LAYOUT = PixelLayout.planes(32, 32);

    private CifarDataset() {}

    /** @throws DataException if a file is missing or not as the format says */
    static DatasetPair open(Entry entry, Path dataDir) {
        SetFiles files = files(entry, dataDir);
        List<Path> found = files.find(names(entry));
        int last = found.size() - 1;
        Dataset train = open(entry, files, found.subList(0, last), "train");
        try {
            return new DatasetPair(train, open(entry, files, found.subList(last, last + 1), "eval"));
        } catch (RuntimeException e) {
            train.close();
            throw e;
        }
    }

    /** The files to train on, then the one to evaluate on. */
    static List<Path> locate(Entry entry, Path dataDir) {
        return files(entry, dataDir).find(names(entry));
    }

    private static SetFiles files(Entry entry, Path dataDir) {
        return SetFiles.of(entry, dataDir, isFine(entry) ? "cifar-100-binary" : "cifar-10-batches-bin");
    }

    private static boolean isFine(Entry entry) {
        return entry.classes() == 100;
    }

    private static List<List<String>> names(Entry entry) {
        if (isFine(entry)) {
            return List.of(List.of("train.bin"), List.of("test.bin"));
        }
        List<List<String>> names = new ArrayList<>();
        for (int i = 1; i <= 5; i++) {
            names.add(List.of("data_batch_" + i + ".bin"));
        }
        names.add(List.of("test_batch.bin"));
        return names;
    }

    private static Dataset open(Entry entry, SetFiles files, List<Path> paths, String split) {
        int labelBytes = isFine(entry) ? 2 : 1;
        long record = labelBytes + LAYOUT.bytes();
        Arena arena = Arena.ofShared();
        try {
            List<RawImageDataset.Part> parts = new ArrayList<>();
            int total = 0;
            for (Path path : paths) {
                MemorySegment bytes = MappedFile.open(path, arena);
                if (bytes.byteSize() == 0 || bytes.byteSize() % record != 0) {
                    throw new DataException(QuotedName.of(path) + " has " + bytes.byteSize()
                            + " bytes, not a multiple of the " + record
                            + " of an image with its label: it is truncated or another file; " + files.fetchAgain());
                }
                int count = Math.toIntExact(bytes.byteSize() / record);
                parts.add(new RawImageDataset.Part(path.toString(), bytes, labelBytes, record, count));
                total += count;
            }
            byte[] labels = new byte[total];
            int at = 0;
            for (RawImageDataset.Part part : parts) {
                for (int i = 0; i < part.count(); i++, at++) {
                    labels[at] = part.bytes().get(ValueLayout.JAVA_BYTE, i * record + labelBytes - 1);
                    Labels.check(labels[at] & 255, 0, entry, part.file(), i, files);
                }
            }
            return new RawImageDataset(entry, split, LAYOUT, parts, labels, arena);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }
}
