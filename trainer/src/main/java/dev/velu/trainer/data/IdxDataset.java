package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** MNIST and the sets in its format: gray images and labels in IDX files, plain or compressed by gzip. */
final class IdxDataset {

    /** What the files are commonly called; %s is images or labels, %d the rank. Each also with .gz. */
    private static final List<String> NAME_PATTERNS = List.of("%s-%s-idx%d-ubyte", "%s-%s.idx%d-ubyte");

    private IdxDataset() {}

    /**
     * Reads both splits.
     *
     * @throws DataException if a folder or file is missing or not as the format says
     */
    static DatasetPair open(Entry entry, Path dataDir) {
        List<Path> files = locate(entry, dataDir);
        return new DatasetPair(
                open(entry, files.get(0), files.get(1), "train"), open(entry, files.get(2), files.get(3), "eval"));
    }

    /** Images and labels to train on, images and labels to evaluate on. */
    static List<Path> locate(Entry entry, Path dataDir) {
        boolean nist = entry.format() == DatasetFormat.IDX_COLUMNS;
        String train = nist ? "emnist-balanced-train" : "train";
        String eval = nist ? "emnist-balanced-test" : "t10k";
        return SetFiles.of(entry, dataDir, "gzip")
                .find(List.of(
                        names(train, "images", 3), names(train, "labels", 1),
                        names(eval, "images", 3), names(eval, "labels", 1)));
    }

    private static List<String> names(String prefix, String kind, int rank) {
        List<String> names = new ArrayList<>();
        for (String pattern : NAME_PATTERNS) {
            String name = String.format(pattern, prefix, kind, rank);
            names.add(name);
            names.add(name + ".gz");
        }
        return names;
    }

    private static Dataset open(Entry entry, Path imageFile, Path labelFile, String split) {
        IdxFile images = IdxFile.read(imageFile, 3);
        IdxFile labels = IdxFile.read(labelFile, 1);
        int count = images.shape()[0];
        int second = images.shape()[1];
        int third = images.shape()[2];
        if (labels.shape()[0] != count) {
            throw new DataException(QuotedName.of(imageFile) + " has " + count + " images but "
                    + QuotedName.of(labelFile) + " has " + labels.shape()[0]
                    + " labels; use two files of the same set");
        }
        for (int i = 0; i < count; i++) {
            int label = labels.values()[i] & 255;
            if (label >= entry.classes()) {
                throw new DataException(QuotedName.of(labelFile) + " has label " + label + " at position " + i
                        + ", expected 0 to " + (entry.classes() - 1) + "; download it again");
            }
        }
        PixelLayout layout = entry.format() == DatasetFormat.IDX_COLUMNS
                ? PixelLayout.grayColumns(second, third)
                : PixelLayout.gray(third, second);
        RawImageDataset.Part part = new RawImageDataset.Part(
                imageFile.toString(), MemorySegment.ofArray(images.values()), 0, layout.bytes(), count);
        return new RawImageDataset(entry, split, layout, List.of(part), labels.values(), Arena.ofShared());
    }
}
