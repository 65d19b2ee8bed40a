package dev.velu.trainer.data;

import dev.velu.trainer.random.SplitMix;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the paths of a folder or archive mean: {@code CLASS/.../image} or {@code SPLIT/CLASS/.../image}.
 *
 * <p>Splits are {@code train} and one of {@code val}, {@code validation} and {@code test} (the first of these that is
 * there). Without a split for evaluation a tenth of every class, chosen by a fixed seed, is set apart. Class names are
 * sorted by code point; hidden files, {@code __MACOSX} and files whose name does not end in jpg, jpeg, png, bmp or gif
 * are ignored.
 */
record ClassFolders(List<String> classNames, Split train, Split eval) {

    private static final Logger LOG = LoggerFactory.getLogger(ClassFolders.class);

    private static final Set<String> IMAGE_EXTENSIONS = Set.of("jpg", "jpeg", "png", "bmp", "gif");
    private static final String TRAIN = "train";
    private static final List<String> EVAL_NAMES = List.of("val", "validation", "test");

    /** One image in this many goes to the evaluation split. */
    private static final int EVAL_FRACTION = 10;

    /**
     * Not the seed of a run: runs with different seeds are compared, and a checkpoint is evaluated later, so all must
     * set the same images apart.
     */
    private static final long SPLIT_SEED = 20_250_415;

    private static final int MAX_NAMES_SHOWN = 5;

    /**
     * The images of one split.
     *
     * @param paths paths as the store gave them, by class, then sorted
     * @param labels the class of each
     */
    record Split(String[] paths, int[] labels) {

        /** @param classes the paths of each class, in the order of the classes */
        static Split of(Collection<List<String>> classes) {
            int size = classes.stream().mapToInt(List::size).sum();
            String[] paths = new String[size];
            int[] labels = new int[size];
            int at = 0;
            int label = 0;
            for (List<String> images : classes) {
                for (String path : images) {
                    paths[at] = path;
                    labels[at] = label;
                    at++;
                }
                label++;
            }
            return new Split(paths, labels);
        }
    }

    /** The images of each class of one split, by the name of the class, sorted. */
    private static final class Classes extends TreeMap<String, List<String>> {
        private static final long serialVersionUID = 1L;
    }

    /** @throws DataException if there are no images, fewer than two classes, or the splits differ in their classes */
    static ClassFolders of(ImageStore store) {
        String title = store.title();
        List<String> images =
                store.paths().stream().filter(ClassFolders::isImage).toList();
        if (images.isEmpty()) {
            throw new DataException(title + " holds no images (jpg, jpeg, png, bmp, gif); give one that holds a folder"
                    + " of images per class, optionally under train/ and test/ or val/");
        }
        int wrapper = store instanceof ZipStore ? wrapperLength(images) : 0;
        Function<String, String[]> parts = path -> path.substring(wrapper).split("/");
        Set<String> tops = images.stream()
                .map(parts)
                .filter(part -> part.length > 1)
                .map(part -> part[0])
                .collect(Collectors.toCollection(TreeSet::new));
        String evalName = EVAL_NAMES.stream().filter(tops::contains).findFirst().orElse(null);
        Set<String> others = new TreeSet<>(tops);
        others.remove(TRAIN);
        EVAL_NAMES.forEach(others::remove);

        if (tops.contains(TRAIN) && evalName != null && !others.isEmpty()) {
            throw new DataException(title + " holds images in " + shown(others) + " beside train/ and " + evalName
                    + "/; move them into the splits or out of the folder");
        }
        if (!tops.contains(TRAIN) && evalName != null && others.isEmpty()) {
            throw new DataException(
                    title + " has " + evalName + "/ but no train/; add train/ with the same class folders");
        }
        if (!tops.contains(TRAIN) || !others.isEmpty()) {
            return splitByChance(title, classes(images, parts, 0, title));
        }
        Classes train = classes(under(images, parts, TRAIN), parts, 1, title + " in train/");
        if (evalName == null) {
            return splitByChance(title, train);
        }
        Classes eval = classes(under(images, parts, evalName), parts, 1, title + " in " + evalName + "/");
        rejectDifferentClasses(title, train, eval, evalName);
        rejectFewClasses(title, train);
        ClassFolders folders =
                new ClassFolders(List.copyOf(train.keySet()), Split.of(train.values()), Split.of(eval.values()));
        LOG.info(
                "{}: {} classes, {} images in train/, {} in {}/",
                title,
                folders.classNames.size(),
                folders.train.paths.length,
                folders.eval.paths.length,
                evalName);
        return folders;
    }

    /** Whether the path is that of an image: not hidden, and of a known extension. */
    static boolean isImage(String path) {
        for (String part : path.split("/")) {
            if (part.startsWith(".") || part.equals("__MACOSX")) {
                return false;
            }
        }
        String extension = path.substring(path.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
        return IMAGE_EXTENSIONS.contains(extension);
    }

    /** Archives are often packed with one folder around everything: the length of its name, or 0. */
    private static int wrapperLength(List<String> images) {
        String first = images.getFirst();
        int length = first.indexOf('/') + 1;
        String wrapper = first.substring(0, length);
        boolean around = images.stream().allMatch(path -> path.startsWith(wrapper) && path.indexOf('/', length) > 0);
        String name = wrapper.replace("/", "");
        return around && !name.equals(TRAIN) && !EVAL_NAMES.contains(name) ? length : 0;
    }

    private static List<String> under(List<String> images, Function<String, String[]> parts, String split) {
        return images.stream()
                .filter(path -> parts.apply(path)[0].equals(split))
                .toList();
    }

    private static Classes classes(List<String> images, Function<String, String[]> parts, int depth, String where) {
        Classes classes = new Classes();
        int loose = 0;
        for (String path : images) {
            String[] part = parts.apply(path);
            if (part.length < depth + 2) {
                loose++;
            } else {
                classes.computeIfAbsent(part[depth], name -> new ArrayList<>()).add(path);
            }
        }
        if (classes.isEmpty()) {
            throw new DataException(where + " has " + loose
                    + " images but no class folders (zero classes); put the images of each class in its own folder");
        }
        if (loose > 0) {
            LOG.warn("{}: {} images outside class folders are ignored", where, loose);
        }
        classes.values().forEach(Collections::sort);
        return classes;
    }

    private static void rejectFewClasses(String title, Classes classes) {
        if (classes.size() < 2) {
            throw new DataException(title + " has one class, " + QuotedName.of(classes.firstKey())
                    + "; at least two class folders with images are needed");
        }
    }

    private static void rejectDifferentClasses(String title, Classes train, Classes eval, String evalName) {
        Set<String> onlyTrain = new TreeSet<>(train.keySet());
        onlyTrain.removeAll(eval.keySet());
        Set<String> onlyEval = new TreeSet<>(eval.keySet());
        onlyEval.removeAll(train.keySet());
        if (onlyTrain.isEmpty() && onlyEval.isEmpty()) {
            return;
        }
        List<String> differences = new ArrayList<>();
        if (!onlyTrain.isEmpty()) {
            differences.add(shown(onlyTrain) + " only in train/");
        }
        if (!onlyEval.isEmpty()) {
            differences.add(shown(onlyEval) + " only in " + evalName + "/");
        }
        throw new DataException(title + " has different classes in its splits: " + String.join(", ", differences)
                + "; give both splits images of the same classes");
    }

    private static String shown(Set<String> names) {
        String first = names.stream().limit(MAX_NAMES_SHOWN).map(QuotedName::of).collect(Collectors.joining(", "));
        return names.size() <= MAX_NAMES_SHOWN ? first : first + " and " + (names.size() - MAX_NAMES_SHOWN) + " more";
    }

    private static ClassFolders splitByChance(String title, Classes all) {
        rejectFewClasses(title, all);
        Classes train = new Classes();
        Classes eval = new Classes();
        all.forEach((name, paths) -> {
            if (paths.size() < 2) {
                throw new DataException(title + " has one image of class " + QuotedName.of(name)
                        + "; add one, so that one can be set apart for evaluation, or make train/ and test/ folders");
            }
            int[] order = new int[paths.size()];
            SplitMix.of(SPLIT_SEED, name.hashCode(), paths.size()).permutation(order);
            int evalCount = Math.max(1, Math.round((float) paths.size() / EVAL_FRACTION));
            List<String> shuffled = new ArrayList<>(paths.size());
            for (int position : order) {
                shuffled.add(paths.get(position));
            }
            eval.put(name, sorted(shuffled.subList(0, evalCount)));
            train.put(name, sorted(shuffled.subList(evalCount, shuffled.size())));
        });
        ClassFolders folders =
                new ClassFolders(List.copyOf(all.keySet()), Split.of(train.values()), Split.of(eval.values()));
        LOG.info(
                "{}: no folder for evaluation, so a tenth of each of the {} classes is set apart: {} images to train,"
                        + " {} to evaluate",
                title,
                all.size(),
                folders.train.paths.length,
                folders.eval.paths.length);
        return folders;
    }

    private static List<String> sorted(List<String> paths) {
        return paths.stream().sorted().toList();
    }
}
