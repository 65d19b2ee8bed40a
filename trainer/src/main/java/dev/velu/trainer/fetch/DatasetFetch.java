package dev.velu.trainer.fetch;

import dev.velu.trainer.data.DataException;
import dev.velu.trainer.data.DataFolder;
import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.DatasetCatalog.Entry;
import dev.velu.trainer.data.DatasetPair;
import dev.velu.trainer.data.QuotedName;
import dev.velu.trainer.data.RemoteFile;
import dev.velu.trainer.run.FolderLock;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Brings data sets into a data folder, each into the folder of its name, where {@link DatasetCatalog#open} finds them.
 *
 * <p>Fetching a set that is there does nothing. A fetch that was interrupted goes on where it stopped. Archives are
 * unpacked into a folder of their own and moved into place when that is done, then removed; at the end the set is opened,
 * so that what was fetched can be trained on.
 */
public final class DatasetFetch {
    static final String LOCK = ".fetch-lock";

    /** Room beside the archive for what comes out of it: images hardly grow, tables of pixels by a fifth. */
    private static final double UNPACKED = 1.3;

    private final Path dataDir;
    private final FetchOptions options;
    private final FetchListener listener;
    private final ArchiveLimits limits = ArchiveLimits.defaults();

    /**
     * @param dataDir made if it is not there
     * @param options how patient to be
     * @param listener is told how it goes
     */
    public DatasetFetch(Path dataDir, FetchOptions options, FetchListener listener) {
        this.dataDir = dataDir;
        this.options = options;
        this.listener = listener;
    }

    /**
     * What there is now.
     *
     * @param place the folder or archive of the set, or the folder of its files
     * @param fetched whether it came now, rather than having been there
     * @param trainCount images to train on; 0 if the set was there and so was not opened
     * @param evalCount images to evaluate on; 0 likewise
     */
    public record Result(Path place, boolean fetched, int trainCount, int evalCount) {}

    /**
     * Makes a set available.
     *
     * @param force to fetch it anew even if it is there
     * @throws FetchException if that is not possible
     * @throws IOException if the disk cannot be read or written
     */
    @SuppressWarnings("try") // The lock is held, not used.
    public Result fetch(Entry entry, boolean force) throws IOException, InterruptedException {
        rejectUnavailable(entry);
        Optional<Path> there = DatasetCatalog.locate(entry, dataDir);
        if (there.isPresent() && !force) {
            return new Result(place(there.get()), false, 0, 0);
        }
        Path folder = dataDir.resolve(entry.name());
        Files.createDirectories(folder);
        try (FolderLock lock = lock(folder)) {
            // Another fetch may have ended while this one began.
            there = DatasetCatalog.locate(entry, dataDir);
            if (there.isEmpty() || force) {
                rejectFullDisk(entry, folder);
                download(entry, folder, force);
                for (RemoteFile file : entry.downloads()) {
                    if (file.unpacking() != null) {
                        unpack(file, folder);
                    }
                }
            }
        }
        try (DatasetPair pair = DatasetCatalog.open(entry.name(), dataDir)) {
            Path place = place(DatasetCatalog.locate(entry, dataDir).orElse(folder));
            return new Result(place, true, pair.train().size(), pair.eval().size());
        } catch (DataException e) {
            throw new FetchException("fetched " + entry.name() + ", but " + e.getMessage(), e);
        }
    }

    private static FolderLock lock(Path folder) throws IOException {
        return FolderLock.tryTake(folder.resolve(LOCK))
                .orElseThrow(() -> new FetchException(
                        "another fetch is at work in " + QuotedName.of(folder) + "; wait for it to end, or stop it"));
    }

    private static Path place(Path located) {
        return Files.isDirectory(located) ? located : located.getParent();
    }

    private void rejectUnavailable(Entry entry) {
        if (entry.downloads().isEmpty()) {
            throw new FetchException(
                    entry.inDataFolder()
                            ? entry.name() + " has no public address to fetch it from; get it from " + entry.source()
                                    + ", and put it into " + QuotedName.of(dataDir.resolve(entry.name())) + ": "
                                    + entry.files()
                            : "data set " + entry.name() + " needs no fetching: it is " + entry.source());
        }
    }

    private static void rejectFullDisk(Entry entry, Path folder) throws IOException {
        double needed = 0;
        for (RemoteFile file : entry.downloads()) {
            Path target = folder.resolve(file.name());
            long there = Files.exists(target) ? Files.size(target) : new PartFile(target).size();
            needed += Math.max(0, file.bytes() - there) + (file.unpacking() == null ? 0 : UNPACKED * file.bytes());
        }
        long free = Files.getFileStore(folder).getUsableSpace();
        if (free < needed) {
            throw new FetchException(String.format(
                    "%s needs %d MB in %s, where %d MB are free; free some space or give another --data-dir",
                    entry.name(), Math.round(needed / 1e6), QuotedName.of(folder), Math.round(free / 1e6)));
        }
    }

    private void download(Entry entry, Path folder, boolean force) throws IOException, InterruptedException {
        try (Download download = new Download(options, listener)) {
            for (RemoteFile file : entry.downloads()) {
                Path target = folder.resolve(file.name());
                if (!force && isThere(target, file)) {
                    continue;
                }
                List<String> reasons = download.get(file, addresses(entry, file), target);
                if (!reasons.isEmpty()) {
                    throw new FetchException("cannot fetch " + file.name() + " of " + entry.name() + ": "
                            + String.join("; ", reasons) + "; bring it from there by other means" + others(entry, file)
                            + ", put it into " + QuotedName.of(folder) + " and run 'velu data fetch " + entry.name()
                            + (dataDir.equals(DataFolder.standard()) ? "" : " --data-dir " + dataDir) + "'");
                }
            }
        }
    }

    /** The files that come after {@code file}: who brings one by hand brings all. */
    private static String others(Entry entry, RemoteFile file) {
        List<RemoteFile> all = entry.downloads();
        String names = all.subList(all.indexOf(file) + 1, all.size()).stream()
                .map(RemoteFile::name)
                .collect(Collectors.joining(", "));
        return names.isEmpty() ? "" : " (and likewise " + names + ")";
    }

    private boolean isThere(Path target, RemoteFile file) throws IOException {
        if (!Files.isRegularFile(target)) {
            return false;
        }
        String difference = Content.difference(target, file);
        if (difference != null) {
            listener.message(file.name() + " is there, but " + difference + "; fetching it");
        }
        return difference == null;
    }

    private List<URI> addresses(Entry entry, RemoteFile file) {
        List<URI> addresses = new ArrayList<>();
        if (options.mirror() != null) {
            String base = options.mirror().toString();
            addresses.add(URI.create(base + (base.endsWith("/") ? "" : "/") + entry.name() + "/" + file.name()));
        }
        addresses.addAll(file.addresses());
        return addresses;
    }

    private void unpack(RemoteFile file, Path folder) throws IOException {
        Path archive = folder.resolve(file.name());
        Path staging = folder.resolve(".unpacking");
        FileTree.delete(staging);
        try {
            Unpacker.unpack(archive, staging, file.unpacking(), limits, listener);
            List<Path> unpacked;
            try (Stream<Path> children = Files.list(staging)) {
                unpacked = children.toList();
            }
            for (Path child : unpacked) {
                Path target = folder.resolve(child.getFileName());
                FileTree.delete(target);
                Files.move(child, target);
            }
        } finally {
            FileTree.delete(staging);
        }
        Files.deleteIfExists(archive);
    }
}
