package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Tiny ImageNet, from its archive in place or from the folder in it: {@code train/WNID/images/*.JPEG}, and
 * {@code val/images/*.JPEG} whose classes {@code val/val_annotations.txt} lists, a line of tab-separated file name, WNID
 * and box each. {@code words.txt} names the classes. The test images have no published classes and are not used.
 */
final class TinyImageNet {

    private static final String ARCHIVE = "tiny-imagenet-200.zip";
    private static final String FOLDER = "tiny-imagenet-200";
    private static final String ANNOTATIONS = "val/val_annotations.txt";

    private TinyImageNet() {}

    /** @throws DataException if the files are missing or not as published */
    static DatasetPair open(Entry entry, Path dataDir) {
        Path place = locate(entry, dataDir);
        ImageStore store = Files.isDirectory(place) ? new FolderStore(place) : new ZipStore(place);
        return ClassFolderDataset.open(store, ClassFolderDataset.Traits.of(entry), opened -> read(entry, opened));
    }

    /** The folder or archive. */
    static Path locate(Entry entry, Path dataDir) {
        SetFiles files = SetFiles.of(entry, dataDir, FOLDER);
        for (Path folder : files.folders()) {
            if (Files.isRegularFile(folder.resolve(ANNOTATIONS))) {
                return folder;
            }
            if (Files.isRegularFile(folder.resolve(ARCHIVE))) {
                return folder.resolve(ARCHIVE);
            }
        }
        throw files.missing(List.of(ARCHIVE, "the folder " + FOLDER));
    }

    private static ClassFolders read(Entry entry, ImageStore store) {
        List<String> paths = store.paths();
        String list = paths.stream()
                .filter(path -> path.equals(ANNOTATIONS) || path.endsWith("/" + ANNOTATIONS))
                .findFirst()
                .orElseThrow(() -> new DataException(store.title() + " has no " + ANNOTATIONS
                        + ": it is incomplete or another set; " + remedy(entry)));
        String root = list.substring(0, list.length() - ANNOTATIONS.length());

        Map<String, List<String>> train = new TreeMap<>();
        Map<String, String> evalImages = new HashMap<>();
        for (String path : paths) {
            if (!path.startsWith(root) || !ClassFolders.isImage(path)) {
                continue;
            }
            String[] parts = path.substring(root.length()).split("/");
            if (parts.length == 4 && parts[0].equals("train") && parts[2].equals("images")) {
                train.computeIfAbsent(parts[1], wnid -> new ArrayList<>()).add(path);
            } else if (parts.length == 3 && parts[0].equals("val") && parts[1].equals("images")) {
                evalImages.put(parts[2], path);
            }
        }
        if (train.size() != entry.classes()) {
            throw new DataException(store.title() + " has images of " + train.size() + " classes to train on, "
                    + entry.name() + " has " + entry.classes() + ": it is incomplete; " + remedy(entry));
        }
        Map<String, List<String>> eval = new TreeMap<>();
        train.keySet().forEach(wnid -> eval.put(wnid, new ArrayList<>()));
        int line = 0;
        for (String text : text(store, list).lines().toList()) {
            line++;
            String[] columns = text.split("\t");
            String image = evalImages.remove(columns[0]);
            List<String> images = columns.length < 2 ? null : eval.get(columns[1]);
            if (image == null || images == null) {
                throw new DataException(QuotedName.of(store.describe(list)) + " line " + line + " is "
                        + QuotedName.of(text) + ", expected the name of an image in val/images, a tab and a class of"
                        + " train/; " + remedy(entry));
            }
            images.add(image);
        }
        if (!evalImages.isEmpty() || line == 0) {
            throw new DataException(QuotedName.of(store.describe(list)) + " names no class for " + evalImages.size()
                    + " images of val/images; " + remedy(entry));
        }
        train.values().forEach(images -> images.sort(null));
        eval.values().forEach(images -> images.sort(null));
        return new ClassFolders(
                classNames(store, root + "words.txt", train.keySet(), paths),
                ClassFolders.Split.of(train.values()),
                ClassFolders.Split.of(eval.values()));
    }

    /** The first word for each class; its WNID where there is none, beside it where two classes have the same. */
    private static List<String> classNames(ImageStore store, String words, Set<String> wnids, List<String> paths) {
        if (!paths.contains(words)) {
            return List.copyOf(wnids);
        }
        Map<String, String> names = text(store, words)
                .lines()
                .map(line -> line.split("\t", 2))
                .filter(columns -> columns.length == 2 && wnids.contains(columns[0]))
                .collect(Collectors.toMap(
                        columns -> columns[0], columns -> columns[1].split(",")[0], (a, b) -> a));
        Set<String> taken = new HashSet<>();
        List<String> classNames = new ArrayList<>();
        for (String wnid : wnids) {
            String name = names.getOrDefault(wnid, wnid);
            classNames.add(taken.add(name) ? name : name + " (" + wnid + ")");
        }
        return List.copyOf(classNames);
    }

    private static String text(ImageStore store, String path) {
        try {
            return new String(store.read(path), StandardCharsets.UTF_8);
        } catch (CorruptImageException e) {
            throw new DataException("cannot read " + QuotedName.of(e.file()) + ": " + e.reason(), e);
        }
    }

    private static String remedy(Entry entry) {
        return "run 'velu data fetch " + entry.name() + " --force'";
    }
}
