package dev.velu.trainer.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** MNIST, or a set in its format such as Fashion-MNIST: gray images and labels 0 to 9 in memory, as in their files. */
final class MnistDataset implements Dataset {

    /** Published mean and standard deviation of the training images. */
    private static final Normalization NORMALIZATION = Normalization.gray(0.1307f, 0.3081f);

    private static final List<String> CLASS_NAMES = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

    /** What the files are commonly called; %s is images or labels, %d the rank. Each also with .gz. */
    private static final List<String> NAME_PATTERNS = List.of("%s-%s-idx%d-ubyte", "%s-%s.idx%d-ubyte");

    private final String split;
    private final Path file;
    private final int width;
    private final int height;
    private final byte[] pixels;
    private final byte[] labels;

    private MnistDataset(String split, Path file, int width, int height, byte[] pixels, byte[] labels) {
        this.split = split;
        this.file = file;
        this.width = width;
        this.height = height;
        this.pixels = pixels;
        this.labels = labels;
    }

    /**
     * Reads both splits from {@code dataDir} or {@code dataDir/mnist}.
     *
     * @throws DataException if a folder or file is missing or not as the format says
     */
    static DatasetPair open(Path dataDir) {
        if (dataDir == null) {
            throw new DataException("data set mnist needs a data folder: give --data-dir DIR, where DIR or DIR/mnist"
                    + " holds train-images-idx3-ubyte.gz and the other three files");
        }
        if (!Files.isDirectory(dataDir)) {
            throw new DataException("data folder " + QuotedName.of(dataDir)
                    + (Files.exists(dataDir) ? " is not a folder" : " does not exist")
                    + "; give --data-dir the folder that holds the MNIST files or a folder mnist with them");
        }
        return new DatasetPair(open(dataDir, "train", "train"), open(dataDir, "t10k", "eval"));
    }

    private static MnistDataset open(Path dataDir, String prefix, String split) {
        Path imageFile = find(dataDir, prefix, "images", 3);
        Path labelFile = find(dataDir, prefix, "labels", 1);
        IdxFile images = IdxFile.read(imageFile, 3);
        IdxFile labels = IdxFile.read(labelFile, 1);
        int count = images.shape()[0];
        int height = images.shape()[1];
        int width = images.shape()[2];
        if (labels.shape()[0] != count) {
            throw new DataException(QuotedName.of(imageFile) + " has " + count + " images but "
                    + QuotedName.of(labelFile) + " has " + labels.shape()[0]
                    + " labels; use two files of the same set");
        }
        for (int i = 0; i < count; i++) {
            int label = labels.values()[i] & 255;
            if (label >= CLASS_NAMES.size()) {
                throw new DataException(QuotedName.of(labelFile) + " has label " + label + " at position " + i
                        + ", expected 0 to " + (CLASS_NAMES.size() - 1) + "; download it again");
            }
        }
        return new MnistDataset(split, imageFile, width, height, images.values(), labels.values());
    }

    private static Path find(Path dataDir, String prefix, String kind, int rank) {
        List<String> names = new ArrayList<>();
        for (String pattern : NAME_PATTERNS) {
            String name = String.format(pattern, prefix, kind, rank);
            names.add(name);
            names.add(name + ".gz");
        }
        for (Path folder : List.of(dataDir, dataDir.resolve("mnist"))) {
            for (String name : names) {
                Path file = folder.resolve(name);
                if (Files.isRegularFile(file)) {
                    return file;
                }
            }
        }
        throw new DataException("MNIST file " + names.get(1) + " (or " + names.get(0) + ", or " + names.get(2)
                + ") is neither in " + QuotedName.of(dataDir) + " nor in " + QuotedName.of(dataDir.resolve("mnist"))
                + "; put it there or give another --data-dir");
    }

    @Override
    public String name() {
        return "mnist";
    }

    @Override
    public String split() {
        return split;
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public List<String> classNames() {
        return CLASS_NAMES;
    }

    @Override
    public Normalization normalization() {
        return NORMALIZATION;
    }

    @Override
    public boolean horizontalFlip() {
        return false;
    }

    @Override
    public int label(int index) {
        return labels[index];
    }

    @Override
    public DecodedImage image(int index) {
        Objects.checkIndex(index, labels.length);
        int area = width * height;
        byte[] rgb = new byte[3 * area];
        int in = index * area;
        for (int out = 0; out < rgb.length; out += 3, in++) {
            rgb[out] = pixels[in];
            rgb[out + 1] = pixels[in];
            rgb[out + 2] = pixels[in];
        }
        return new DecodedImage(width, height, rgb);
    }

    @Override
    public String describe(int index) {
        return file + " image " + index;
    }

    @Override
    public void close() {}
}
