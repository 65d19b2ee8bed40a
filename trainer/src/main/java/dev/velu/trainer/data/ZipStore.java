package dev.velu.trainer.data;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** The entries of a zip archive, read in place. Names are only names here: nothing is ever extracted. */
final class ZipStore implements ImageStore {

    private static final Pattern DRIVE = Pattern.compile("^[A-Za-z]:.*", Pattern.DOTALL);
    private static final Pattern SEPARATOR = Pattern.compile("[/\\\\]");

    private final Path file;
    private final ZipFile zip;

    /** @throws DataException if {@code file} is not a readable zip archive */
    ZipStore(Path file) {
        this.file = file;
        if (!Files.isRegularFile(file)) {
            throw new DataException(title() + (Files.exists(file) ? " is not a file" : " does not exist")
                    + "; give zip:PATH with an archive that holds one folder of images per class");
        }
        try {
            zip = new ZipFile(file.toFile());
        } catch (ZipException e) {
            throw new DataException(
                    title() + " is not a complete zip archive (" + e.getMessage() + "); download or pack it again", e);
        } catch (IOException e) {
            throw new DataException("cannot read " + title() + ": " + FolderStore.reason(e), e);
        }
    }

    @Override
    public String name() {
        return "zip:" + file;
    }

    @Override
    public String title() {
        return "zip file " + QuotedName.of(file);
    }

    @Override
    public List<String> paths() {
        return zip.stream()
                .filter(entry -> !entry.isDirectory())
                .map(ZipEntry::getName)
                .peek(this::rejectHostile)
                .distinct()
                .toList();
    }

    private void rejectHostile(String entry) {
        boolean absolute = entry.startsWith("/")
                || entry.startsWith("\\")
                || DRIVE.matcher(entry).matches();
        boolean climbs = SEPARATOR.splitAsStream(entry).anyMatch(part -> part.equals(".."));
        if (absolute || climbs || entry.indexOf('\0') >= 0) {
            throw new DataException(title() + " has an entry " + QuotedName.of(entry)
                    + " that points outside the archive; do not trust this archive, or pack it again");
        }
    }

    @Override
    public byte[] read(String path) throws CorruptImageException {
        ZipEntry entry = zip.getEntry(path);
        try (InputStream in = zip.getInputStream(entry)) {
            // The size in the directory may be false: what counts is what comes out.
            byte[] bytes = in.readNBytes(ImageDecoder.MAX_FILE_BYTES + 1);
            if (bytes.length > ImageDecoder.MAX_FILE_BYTES) {
                throw new CorruptImageException(
                        describe(path), "the entry exceeds the limit of " + ImageDecoder.MAX_FILE_BYTES + " bytes");
            }
            CRC32 crc = new CRC32();
            crc.update(bytes);
            if (entry.getCrc() >= 0 && entry.getCrc() != crc.getValue()) {
                throw new CorruptImageException(describe(path), "its zip entry is damaged: the checksum differs");
            }
            return bytes;
        } catch (CorruptImageException e) {
            throw e;
        } catch (EOFException e) {
            throw new CorruptImageException(describe(path), "its zip entry ends too early", e);
        } catch (IOException e) {
            throw new CorruptImageException(
                    describe(path), "its zip entry is damaged (" + FolderStore.reason(e) + ")", e);
        }
    }

    @Override
    public String describe(String path) {
        return file + "!/" + path;
    }

    @Override
    public void close() {
        try {
            zip.close();
        } catch (IOException e) {
            throw new DataException("cannot close " + title() + ": " + FolderStore.reason(e), e);
        }
    }
}
