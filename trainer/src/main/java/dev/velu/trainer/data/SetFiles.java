package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Where the files of a named data set are looked for: in the folder of its name below the data folder, where
 * {@code velu data fetch} puts them, and in the data folder itself, each also with the folders of the published archive.
 */
final class SetFiles {

    private final Entry entry;
    private final Path dataDir;
    private final boolean standard;
    private final List<Path> folders;

    private SetFiles(Entry entry, Path dataDir, boolean standard, List<Path> folders) {
        this.entry = entry;
        this.dataDir = dataDir;
        this.standard = standard;
        this.folders = folders;
    }

    /**
     * @param dataDir null for the standard one
     * @param inArchive the folders in which the published archive has the files
     */
    static SetFiles of(Entry entry, Path dataDir, String... inArchive) {
        Path base = DataFolder.orStandard(dataDir);
        List<Path> roots = new ArrayList<>(List.of(base.resolve(entry.name())));
        if (!isAnotherSet(base, entry)) {
            roots.add(base);
        }
        List<Path> folders = new ArrayList<>();
        for (Path root : roots) {
            folders.add(root);
            for (String folder : inArchive) {
                folders.add(root.resolve(folder));
            }
        }
        return new SetFiles(entry, base, dataDir == null, folders);
    }

    /** Several sets have files of the same names, so that those of a folder mnist must not pass for fashion_mnist. */
    private static boolean isAnotherSet(Path folder, Entry entry) {
        Path name = folder.getFileName();
        return name != null
                && !name.toString().equals(entry.name())
                && DatasetCatalog.entries().stream()
                        .anyMatch(other -> other.name().equals(name.toString()));
    }

    /** The folders, in the order in which they are searched; they need not exist. */
    List<Path> folders() {
        return folders;
    }

    /**
     * Finds several files in one folder.
     *
     * @param wanted for every file the names it may have
     * @return the files in the order wanted, all in the first folder that has all of them
     * @throws DataException if no folder has; it names a file that is missing
     */
    List<Path> find(List<List<String>> wanted) {
        List<String> missing = wanted.getFirst();
        int most = 0;
        for (Path folder : folders) {
            List<Path> found = new ArrayList<>();
            List<String> firstMissing = null;
            for (List<String> names : wanted) {
                Path file = first(folder, names);
                if (file != null) {
                    found.add(file);
                } else if (firstMissing == null) {
                    firstMissing = names;
                }
            }
            if (firstMissing == null) {
                return found;
            }
            if (found.size() > most) {
                most = found.size();
                missing = firstMissing;
            }
        }
        throw missing(missing);
    }

    private static Path first(Path folder, List<String> names) {
        return names.stream()
                .map(folder::resolve)
                .filter(Files::isRegularFile)
                .findFirst()
                .orElse(null);
    }

    /** What to say when a file that may have one of {@code names} is in no folder. */
    DataException missing(List<String> names) {
        boolean absent = !Files.isDirectory(dataDir);
        if (absent && !standard) {
            return new DataException("data folder " + QuotedName.of(dataDir)
                    + (Files.exists(dataDir) ? " is not a folder" : " does not exist") + "; " + remedy());
        }
        String others = names.stream().skip(1).map(name -> "or " + name).collect(Collectors.joining(", "));
        String where = folders.contains(dataDir)
                ? "neither in " + QuotedName.of(dataDir.resolve(entry.name())) + " nor in " + QuotedName.of(dataDir)
                : "not in " + QuotedName.of(dataDir.resolve(entry.name()));
        return new DataException("data set " + entry.name() + ": " + names.getFirst()
                + (others.isEmpty() ? "" : " (" + others + ")") + " is " + where + "; " + remedy());
    }

    private String remedy() {
        String elsewhere = "give --data-dir the folder that holds its files";
        return entry.downloads().isEmpty()
                ? "put its files there (velu data list " + entry.name() + "), or " + elsewhere
                : "run '" + fetchCommand() + "', or " + elsewhere;
    }

    /** What to say to a file that is there and not as it should be. */
    String fetchAgain() {
        return entry.downloads().isEmpty() ? "replace it" : "run '" + fetchCommand() + " --force'";
    }

    private String fetchCommand() {
        String folder = dataDir.toString();
        String quoted = folder.matches("[\\w./~-]+") ? folder : QuotedName.of(folder);
        return "velu data fetch " + entry.name() + (standard ? "" : " --data-dir " + quoted);
    }
}
