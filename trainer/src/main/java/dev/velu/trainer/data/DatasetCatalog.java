package dev.velu.trainer.data;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;

/** The data sets that can be named, and how they are opened. */
public final class DatasetCatalog {

    private static final String FOLDER = "folder:";
    private static final String ZIP = "zip:";

    private static final List<Entry> ENTRIES = List.of(
            new Entry(
                    "shapes",
                    "plane figures, drawn at run time: arrow, circle, crescent, cross, heart, ...",
                    ShapeOutline.values().length,
                    32,
                    "drawn by this program",
                    "none needed",
                    "no files"),
            new Entry(
                    "mnist",
                    "handwritten digits, 60000 to train and 10000 to evaluate, 28 x 28 gray",
                    10,
                    32,
                    "Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
                    "CC BY-SA 3.0",
                    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,"
                            + " t10k-labels-idx1-ubyte.gz (or unpacked) in --data-dir or its folder mnist"),
            new Entry(
                    "folder:PATH",
                    "JPEG, PNG, BMP and GIF files in one folder per class",
                    0,
                    224,
                    "your own",
                    "your own",
                    "PATH/CLASS/..., or PATH/train/CLASS/... and PATH/val/CLASS/... (or validation, or test)"),
            new Entry(
                    "zip:PATH",
                    "the same in a zip archive, read in place",
                    0,
                    224,
                    "your own",
                    "your own",
                    "the same folders inside the archive PATH"));

    /**
     * A line of {@code velu data list}.
     *
     * @param name what to give as data set; PATH stands for a path
     * @param description what it shows
     * @param classes the number of classes; 0 where it depends on the files
     * @param imageSize the size that images are resized to unless another is asked for, in pixels
     * @param source where it comes from
     * @param licence under which terms
     * @param files where its files are expected
     */
    public record Entry(
            String name, String description, int classes, int imageSize, String source, String licence, String files) {}

    private DatasetCatalog() {}

    /** All data sets, for a list. */
    public static List<Entry> entries() {
        return ENTRIES;
    }

    /**
     * The entry that {@code spec} is of, for example for its image size.
     *
     * @throws DataException if there is none
     */
    public static Entry entry(String spec) {
        String name = spec.startsWith(FOLDER) ? "folder:PATH" : spec.startsWith(ZIP) ? "zip:PATH" : spec;
        return ENTRIES.stream()
                .filter(entry -> entry.name().equals(name))
                .findFirst()
                .orElseThrow(() -> unknown(spec));
    }

    /** As {@link #open(String, Path, ShapesOptions)}, with the default shapes. */
    public static DatasetPair open(String spec, Path dataDir) {
        return open(spec, dataDir, ShapesOptions.defaults());
    }

    /**
     * Opens both splits of a data set.
     *
     * @param spec {@code mnist}, {@code shapes}, {@code folder:PATH} or {@code zip:PATH}
     * @param dataDir where the files of named data sets lie; may be null for those that need none
     * @param shapes what to draw for {@code shapes}
     * @throws DataException if there is no such data set, or it cannot be used
     */
    public static DatasetPair open(String spec, Path dataDir, ShapesOptions shapes) {
        if (spec.startsWith(FOLDER)) {
            return ClassFolderDataset.open(new FolderStore(path(spec, FOLDER)));
        }
        if (spec.startsWith(ZIP)) {
            return ClassFolderDataset.open(new ZipStore(path(spec, ZIP)));
        }
        return switch (spec) {
            case "mnist" -> MnistDataset.open(dataDir);
            case "shapes" -> ShapesDataset.open(shapes);
            default -> throw unknown(spec);
        };
    }

    private static Path path(String spec, String prefix) {
        String path = spec.substring(prefix.length());
        if (path.isBlank()) {
            throw new DataException("data set '" + prefix + "' names no path; give " + prefix + "PATH");
        }
        try {
            return Path.of(path);
        } catch (InvalidPathException e) {
            throw new DataException(
                    "data set " + QuotedName.of(spec) + " has an invalid path: " + QuotedName.printable(e.getReason())
                            + "; give " + prefix + "PATH",
                    e);
        }
    }

    private static DataException unknown(String spec) {
        return new DataException(
                "unknown data set " + QuotedName.of(spec) + "; choose mnist, shapes, folder:PATH or zip:PATH");
    }
}
