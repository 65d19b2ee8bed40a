package dev.velu.trainer.fetch;

import dev.velu.trainer.data.QuotedName;
import dev.velu.trainer.data.RemoteFile.Unpacking;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * Takes files out of an archive that may be hostile. Only plain files and folders are ever made, all below one folder;
 * an entry that points outside, a device, or more than {@link ArchiveLimits} allow refuses the whole archive.
 */
final class Unpacker {

    private static final int FILE_TYPE = 0170000;
    private static final int PLAIN_FILE = 0100000;
    private static final int FOLDER = 0040000;

    private final Path archive;
    private final String name;
    private final Path folder;
    private final ArchiveLimits limits;
    private final FetchListener listener;
    private final byte[] buffer = new byte[1 << 16];
    private final Set<String> wanted;
    private final boolean all;
    private long entries;
    private long bytes;

    private Unpacker(Path archive, Path folder, Set<String> wanted, ArchiveLimits limits, FetchListener listener) {
        this.archive = archive;
        this.name = archive.getFileName().toString();
        this.folder = folder;
        this.limits = limits;
        this.listener = listener;
        this.wanted = new HashSet<>(wanted);
        all = wanted.isEmpty();
    }

    /**
     * Takes what {@code unpacking} says out of a zip or tar.gz archive.
     *
     * @param folder where to; made if it is not there, and expected to be empty. What it holds after a failure is not
     *     to be used
     * @throws FetchException if the archive is damaged, not to be trusted or lacks a file
     * @throws IOException if the disk cannot be read or written
     */
    static void unpack(Path archive, Path folder, Unpacking unpacking, ArchiveLimits limits, FetchListener listener)
            throws IOException {
        if (unpacking.inner() == null) {
            new Unpacker(archive, folder, Set.copyOf(unpacking.members()), limits, listener).run();
            return;
        }
        Path outer = folder.resolveSibling(folder.getFileName() + ".outer");
        FileTree.delete(outer);
        try {
            Unpacker unpacker = new Unpacker(archive, outer, Set.of(unpacking.inner()), limits, listener);
            unpacker.run();
            try (var files = Files.walk(outer)) {
                Path inner = files.filter(Files::isRegularFile).findFirst().orElseThrow();
                new Unpacker(inner, folder, Set.copyOf(unpacking.members()), limits, listener).run();
            }
        } finally {
            FileTree.delete(outer);
        }
    }

    private void run() throws IOException {
        long size = Files.size(archive);
        Files.createDirectories(folder);
        listener.begin("unpacking " + name, 0, size);
        try (InputStream in = new BufferedInputStream(Files.newInputStream(archive), 1 << 16)) {
            in.mark(2);
            int first = in.read();
            int second = in.read();
            in.reset();
            if (first == 'P' && second == 'K') {
                unzip(size);
            } else if (first == 0x1F && second == 0x8B) {
                untar(in);
            } else {
                throw new FetchException("archive " + QuotedName.of(archive)
                        + " is neither zip nor tar.gz; remove it and fetch it again");
            }
        } catch (FetchException | FileSystemException e) {
            throw e;
        } catch (EOFException e) {
            throw damaged("it ends too early", e);
        } catch (IOException | IllegalArgumentException e) {
            throw damaged(e.getMessage(), e);
        } finally {
            listener.end();
        }
        if (!wanted.isEmpty()) {
            throw new FetchException("archive " + QuotedName.of(archive) + " has no " + String.join(", ", wanted)
                    + ": it is another archive");
        }
    }

    private FetchException damaged(String reason, Exception cause) {
        return new FetchException(
                "archive " + QuotedName.of(archive) + " is damaged (" + QuotedName.printable(String.valueOf(reason))
                        + "); remove it and fetch it again",
                cause);
    }

    private void untar(InputStream in) throws IOException {
        Counted counted = new Counted(in);
        try (TarArchiveInputStream tar = new TarArchiveInputStream(new GZIPInputStream(counted, 1 << 16))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                count(entry.getName());
                Path place = EntryName.inside(folder, entry.getName(), name);
                if (entry.isSymbolicLink()) {
                    EntryName.checkLink(folder, place.getParent(), entry.getName(), entry.getLinkName(), name);
                } else if (entry.isLink()) {
                    EntryName.checkLink(folder, folder, entry.getName(), entry.getLinkName(), name);
                } else if (entry.isCharacterDevice() || entry.isBlockDevice() || entry.isFIFO()) {
                    throw EntryName.refused(name, entry.getName(), "is a device");
                } else if (entry.isFile()) {
                    // What is not wanted counts, too: it has to be decompressed.
                    copy(tar, entry.getName(), isWanted(place) ? place : null, -1, () -> counted.count);
                }
            }
        }
    }

    private void unzip(long size) throws IOException {
        try (ZipFile zip = ZipFile.builder().setPath(archive).get()) {
            Enumeration<ZipArchiveEntry> all = zip.getEntries();
            while (all.hasMoreElements()) {
                ZipArchiveEntry entry = all.nextElement();
                count(entry.getName());
                Path place = EntryName.inside(folder, entry.getName(), name);
                int type = entry.getUnixMode() & FILE_TYPE;
                if (entry.isUnixSymlink()) {
                    EntryName.checkLink(folder, place.getParent(), entry.getName(), zip.getUnixSymlink(entry), name);
                } else if (type != 0 && type != PLAIN_FILE && type != FOLDER) {
                    throw EntryName.refused(name, entry.getName(), "is a device");
                } else if (!entry.isDirectory() && isWanted(place)) {
                    if (!zip.canReadEntryData(entry)) {
                        throw damaged("entry " + entry.getName() + " is encrypted or packed in an unknown way", null);
                    }
                    try (InputStream in = zip.getInputStream(entry)) {
                        copy(in, entry.getName(), place, entry.getCrc(), () -> size);
                    }
                }
            }
        }
    }

    private void count(String entry) {
        if (++entries > limits.entries()) {
            throw EntryName.refused(
                    name, entry, "is one too many: more than " + limits.entries() + " entries are not expected");
        }
    }

    private boolean isWanted(Path place) {
        return all || wanted.remove(place.getFileName().toString());
    }

    /** How many bytes of the archive what was written so far came from. */
    @FunctionalInterface
    private interface Consumed {
        long bytes();
    }

    /**
     * @param target where to, or null for nowhere
     * @param crc the checksum that the archive gives, or -1
     */
    private void copy(InputStream in, String entry, Path target, long crc, Consumed consumed) throws IOException {
        CRC32 sum = new CRC32();
        try (OutputStream out = target == null ? OutputStream.nullOutputStream() : create(target, entry)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                bytes += read;
                long most = Math.min(limits.bytes(), Math.max(limits.freeBytes(), limits.ratio() * consumed.bytes()));
                if (bytes > most) {
                    throw EntryName.refused(
                            name, entry, "makes it larger than the " + most + " bytes expected: a decompression bomb");
                }
                sum.update(buffer, 0, read);
                out.write(buffer, 0, read);
                listener.progress(consumed.bytes());
            }
        }
        if (crc >= 0 && sum.getValue() != crc) {
            throw damaged("the checksum of entry " + entry + " differs", null);
        }
    }

    private OutputStream create(Path target, String entry) throws IOException {
        try {
            Files.createDirectories(target.getParent());
            return Files.newOutputStream(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException e) {
            throw EntryName.refused(name, entry, "is there twice");
        }
    }

    /** Knows how much was read of it. */
    private static final class Counted extends FilterInputStream {
        private long count;

        Counted(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            count += value < 0 ? 0 : 1;
            return value;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int read = super.read(target, offset, length);
            count += Math.max(read, 0);
            return read;
        }
    }
}
