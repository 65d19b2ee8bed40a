package dev.velu.trainer.data;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/** The data sets that can be named, and how they are opened. */
public final class DatasetCatalog {

    private static final String FOLDER = "folder:";
    private static final String ZIP = "zip:";

    /**
     * What is known of a data set.
     *
     * @param name what to give as data set; PATH stands for a path
     * @param title what its authors call it
     * @param description what it shows
     * @param classes the number of classes; 0 where it depends on the files
     * @param classNames their names, where the files do not say; else empty
     * @param imageSize the size that images are resized to unless another is asked for, in pixels
     * @param trainCount images to train on, as published; 0 where it depends on the files
     * @param evalCount images to evaluate on, as published; 0 where it depends on the files
     * @param format how its files are laid out
     * @param downloads the published files; empty where there are none to fetch
     * @param source where it comes from
     * @param licence under which terms
     * @param files which files are expected, and where
     * @param normalization mean and standard deviation of its training images per channel
     * @param horizontalFlip whether an image flipped left to right is still of its class
     */
    public record Entry(
            String name,
            String title,
            String description,
            int classes,
            List<String> classNames,
            int imageSize,
            int trainCount,
            int evalCount,
            DatasetFormat format,
            List<RemoteFile> downloads,
            String source,
            String licence,
            String files,
            Normalization normalization,
            boolean horizontalFlip) {

        /** @throws IllegalArgumentException if there are class names, but not as many as classes */
        public Entry {
            Objects.requireNonNull(normalization, "normalization");
            classNames = List.copyOf(classNames);
            downloads = List.copyOf(downloads);
            if (!classNames.isEmpty() && classNames.size() != classes) {
                throw new IllegalArgumentException(
                        "data set " + name + " has " + classes + " classes and " + classNames.size() + " names");
            }
        }

        /** The bytes to fetch, as far as they are known. */
        public long downloadBytes() {
            return downloads.stream().mapToLong(RemoteFile::bytes).sum();
        }

        /** Whether its files lie in a data folder, rather than where its name says or nowhere. */
        public boolean inDataFolder() {
            return format != DatasetFormat.DRAWN && format != DatasetFormat.OWN_FOLDERS;
        }
    }

    private DatasetCatalog() {}

    /** All data sets, for a list. */
    public static List<Entry> entries() {
        return PublishedDatasets.ENTRIES;
    }

    /**
     * The entry that {@code spec} is of, for example for its image size.
     *
     * @throws DataException if there is none
     */
    public static Entry entry(String spec) {
        String name = spec.startsWith(FOLDER) ? "folder:PATH" : spec.startsWith(ZIP) ? "zip:PATH" : spec;
        return entries().stream()
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
     * @param spec the name of an entry, {@code folder:PATH} or {@code zip:PATH}
     * @param dataDir where the files of named data sets lie; null for {@link DataFolder#standard()}
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
        Entry entry = entry(spec);
        return switch (entry.format()) {
            case DRAWN -> ShapesDataset.open(shapes);
            case IDX, IDX_COLUMNS -> IdxDataset.open(entry, dataDir);
            case CIFAR -> CifarDataset.open(entry, dataDir);
            case SVHN -> SvhnDataset.open(entry, dataDir);
            case STL10 -> Stl10Dataset.open(entry, dataDir);
            case TINY_IMAGENET -> TinyImageNet.open(entry, dataDir);
            case CLASS_FOLDERS, NUMBERED -> PublishedFolders.open(entry, dataDir);
            case OWN_FOLDERS -> throw unknown(spec);
        };
    }

    /**
     * Where the files of a named data set are, without reading them: the folder or archive, or the first of its files.
     *
     * @param dataDir as in {@link #open}
     * @return empty if a file is missing, or the set has none
     */
    public static Optional<Path> locate(Entry entry, Path dataDir) {
        try {
            return switch (entry.format()) {
                case DRAWN, OWN_FOLDERS -> Optional.empty();
                case IDX, IDX_COLUMNS ->
                    Optional.of(IdxDataset.locate(entry, dataDir).getFirst());
                case CIFAR -> Optional.of(CifarDataset.locate(entry, dataDir).getFirst());
                case SVHN -> Optional.of(SvhnDataset.locate(entry, dataDir).getFirst());
                case STL10 -> Optional.of(Stl10Dataset.locate(entry, dataDir).getFirst());
                case TINY_IMAGENET -> Optional.of(TinyImageNet.locate(entry, dataDir));
                case CLASS_FOLDERS, NUMBERED -> Optional.of(PublishedFolders.locate(entry, dataDir));
            };
        } catch (DataException e) {
            return Optional.empty();
        }
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
        String names = entries().stream()
                .filter(entry -> entry.format() != DatasetFormat.OWN_FOLDERS)
                .map(Entry::name)
                .collect(Collectors.joining(", "));
        return new DataException(
                "unknown data set " + QuotedName.of(spec) + "; choose " + names + ", folder:PATH or zip:PATH");
    }
}
