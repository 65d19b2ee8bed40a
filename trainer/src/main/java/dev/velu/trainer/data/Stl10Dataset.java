package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/**
 * STL-10 in its binary version: 96 x 96 pixels in planes of red, green and blue, columns first, and a file with labels
 * from 1. The images without a label are not used.
 */
final class Stl10Dataset {

    private static final PixelLayout LAYOUT = PixelLayout.planesOfColumns(96, 96);
    private static final List<List<String>> NAMES =
            List.of(List.of("train_X.bin"), List.of("train_y.bin"), List.of("test_X.bin"), List.of("test_y.bin"));

    private Stl10Dataset() {}

    /** @throws DataException if a file is missing or not as the format says */
    static DatasetPair open(Entry entry, Path dataDir) {
        SetFiles files = SetFiles.of(entry, dataDir, "stl10_binary");
        List<Path> found = files.find(NAMES);
        Dataset train = open(entry, files, found.get(0), found.get(1), "train");
        try {
            return new DatasetPair(train, open(entry, files, found.get(2), found.get(3), "eval"));
        } catch (RuntimeException e) {
            train.close();
            throw e;
        }
    }

    /** Images and labels to train on, images and labels to evaluate on. */
    static List<Path> locate(Entry entry, Path dataDir) {
        return SetFiles.of(entry, dataDir, "stl10_binary").find(NAMES);
    }

    private static Dataset open(Entry entry, SetFiles files, Path imageFile, Path labelFile, String split) {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment images = MappedFile.open(imageFile, arena);
            MemorySegment classes = MappedFile.open(labelFile, arena);
            int record = LAYOUT.bytes();
            if (images.byteSize() == 0 || images.byteSize() % record != 0) {
                throw new DataException(QuotedName.of(imageFile) + " has " + images.byteSize()
                        + " bytes, not a multiple of the " + record
                        + " of an image: it is truncated or another file; " + files.fetchAgain());
            }
            int count = Math.toIntExact(images.byteSize() / record);
            Labels.checkCount(
                    count,
                    imageFile.toString(),
                    Math.toIntExact(Math.min(classes.byteSize(), Integer.MAX_VALUE)),
                    labelFile.toString(),
                    files);
            byte[] labels = classes.toArray(ValueLayout.JAVA_BYTE);
            for (int i = 0; i < count; i++) {
                Labels.check(labels[i] & 255, 1, entry, labelFile.toString(), i, files);
                labels[i]--;
            }
            RawImageDataset.Part part = new RawImageDataset.Part(imageFile.toString(), images, 0, record, count);
            return new RawImageDataset(entry, split, LAYOUT, List.of(part), labels, arena);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }
}
