package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Published sets of images in one folder per class without splits of their own: EuroSAT, Caltech-101, Corel. Read from
 * their archive in place, or from the folders that were in it.
 *
 * <p>The class of an image is the folder it lies in, whatever folders are around that. A fifth of every class is for
 * evaluation: those whose SHA-256 of {@code CLASS/FILE} comes first. So the split depends on nothing but the names.
 */
final class PublishedFolders {

    /** Images of none of the classes, in Caltech-101. */
    private static final Set<String> LEFT_OUT = Set.of("BACKGROUND_Google");

    private static final int EVAL_FRACTION = 5;

    /** The files of a Corel set in one folder: the class is the number divided by this. */
    private static final int PER_NUMBERED_CLASS = 100;

    private static final Pattern NUMBERED = Pattern.compile("0*(\\d{1,7})\\.[A-Za-z]+");

    private PublishedFolders() {}

    /** @throws DataException if the files are missing, or are not of as many classes as are published */
    static DatasetPair open(Entry entry, Path dataDir) {
        Path place = locate(entry, dataDir);
        ImageStore store = Files.isDirectory(place) ? new FolderStore(place) : new ZipStore(place);
        return ClassFolderDataset.open(
                store, ClassFolderDataset.Traits.of(entry), opened -> classFolders(entry, opened));
    }

    /** The archive or folder. */
    static Path locate(Entry entry, Path dataDir) {
        SetFiles files = SetFiles.of(entry, dataDir);
        List<String> archives = archives(entry);
        for (Path root : files.folders()) {
            boolean own =
                    root.getFileName() != null && root.getFileName().toString().equals(entry.name());
            for (String folder : folders(entry)) {
                Path place = root.resolve(folder);
                if (holdsClasses(place, entry)) {
                    return place;
                }
            }
            for (String archive : archives) {
                if (Files.isRegularFile(root.resolve(archive))) {
                    return root.resolve(archive);
                }
            }
            if (own && holdsClasses(root, entry)) {
                return root;
            }
        }
        List<String> names = new ArrayList<>(folders(entry));
        names.replaceAll(name -> "the folder " + name);
        if (names.isEmpty()) {
            names.add("a folder of images per class");
        }
        names.addAll(archives);
        throw files.missing(names);
    }

    private static List<String> archives(Entry entry) {
        return switch (entry.name()) {
            case "eurosat" -> List.of("EuroSAT.zip", "EuroSAT_RGB.zip");
            case "caltech101" -> List.of();
            default -> List.of(entry.name() + ".zip");
        };
    }

    private static List<String> folders(Entry entry) {
        return switch (entry.name()) {
            case "eurosat" -> List.of("2750", "EuroSAT_RGB", "EuroSAT");
            case "caltech101" -> List.of("101_ObjectCategories", "caltech-101/101_ObjectCategories");
            default -> List.of();
        };
    }

    /** Whether a folder holds folders or, for numbered files, images: enough to say that the set is meant to be here. */
    private static boolean holdsClasses(Path folder, Entry entry) {
        if (!Files.isDirectory(folder)) {
            return false;
        }
        try (Stream<Path> children = Files.list(folder)) {
            return children.anyMatch(child -> !child.getFileName().toString().startsWith(".")
                    && (Files.isDirectory(child)
                            || entry.format() == DatasetFormat.NUMBERED && ClassFolders.isImage(child.toString())));
        } catch (IOException e) {
            throw new DataException("cannot list " + QuotedName.of(folder) + ": " + FolderStore.reason(e), e);
        }
    }

    private static ClassFolders classFolders(Entry entry, ImageStore store) {
        List<String> images =
                store.paths().stream().filter(ClassFolders::isImage).sorted().toList();
        Map<String, List<String>> classes = new TreeMap<>();
        for (String path : images) {
            String name = folderOf(path);
            if (!LEFT_OUT.contains(name)) {
                classes.computeIfAbsent(name, unused -> new ArrayList<>()).add(path);
            }
        }
        if (entry.format() == DatasetFormat.NUMBERED && classes.size() == 1) {
            classes = numbered(store, images);
        }
        if (classes.size() != entry.classes()) {
            throw new DataException(store.title() + " has images of " + classes.size() + " classes, " + entry.name()
                    + " has " + entry.classes() + ": it is incomplete or another set"
                    + (entry.downloads().isEmpty() ? "" : "; run 'velu data fetch " + entry.name() + " --force'"));
        }
        List<List<String>> train = new ArrayList<>();
        List<List<String>> eval = new ArrayList<>();
        classes.forEach((name, paths) -> {
            if (paths.size() < 2) {
                throw new DataException(store.title() + " has one image of class " + QuotedName.of(name)
                        + ", too few to set one apart for evaluation");
            }
            Map<String, String> byDigest = new TreeMap<>();
            for (String path : paths) {
                byDigest.put(digest(name + "/" + fileOf(path)) + path, path);
            }
            List<String> order = List.copyOf(byDigest.values());
            int evalCount = Math.max(1, Math.round((float) order.size() / EVAL_FRACTION));
            eval.add(order.subList(0, evalCount).stream().sorted().toList());
            train.add(order.subList(evalCount, order.size()).stream().sorted().toList());
        });
        return new ClassFolders(
                List.copyOf(classes.keySet()), ClassFolders.Split.of(train), ClassFolders.Split.of(eval));
    }

    /** Files 0 to 99 are the first class, 100 to 199 the second; or, where there is no file 0, 1 to 100, 101 to 200. */
    private static Map<String, List<String>> numbered(ImageStore store, List<String> images) {
        Map<Integer, String> byNumber = new TreeMap<>();
        for (String path : images) {
            Matcher matcher = NUMBERED.matcher(fileOf(path));
            if (!matcher.matches()) {
                throw new DataException(store.title() + " has an image " + QuotedName.of(path)
                        + " in no class folder whose name is not a number; name it NUMBER.jpg, a hundred for each"
                        + " class, or make a folder per class");
            }
            String twin = byNumber.put(Integer.parseInt(matcher.group(1)), path);
            if (twin != null) {
                throw new DataException(store.title() + " has two images of the same number, " + QuotedName.of(twin)
                        + " and " + QuotedName.of(path) + "; remove one");
            }
        }
        int first = byNumber.containsKey(0) ? 0 : 1;
        Map<String, List<String>> classes = new TreeMap<>();
        byNumber.forEach((number, path) -> classes.computeIfAbsent(
                        String.format("%03d", (number - first) / PER_NUMBERED_CLASS), unused -> new ArrayList<>())
                .add(path));
        return classes;
    }

    private static String folderOf(String path) {
        int end = path.lastIndexOf('/');
        return end < 0 ? "" : path.substring(path.lastIndexOf('/', end - 1) + 1, end);
    }

    private static String fileOf(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static String digest(String name) {
        try {
            MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
            return HexFormat.of().formatHex(sha256.digest(name.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
