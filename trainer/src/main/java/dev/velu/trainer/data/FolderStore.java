package dev.velu.trainer.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The files under a folder; symbolic links are followed. */
final class FolderStore implements ImageStore {

    private final Path root;

    /** @throws DataException if {@code root} is not a folder */
    FolderStore(Path root) {
        this.root = root;
        if (!Files.isDirectory(root)) {
            throw new DataException(title() + (Files.exists(root) ? " is not a folder" : " does not exist")
                    + "; give folder:PATH with a folder that holds one folder of images per class");
        }
    }

    @Override
    public String name() {
        return "folder:" + root;
    }

    @Override
    public String title() {
        return "folder " + QuotedName.of(root);
    }

    @Override
    public List<String> paths() {
        String separator = root.getFileSystem().getSeparator();
        try (Stream<Path> files = Files.walk(root, FileVisitOption.FOLLOW_LINKS)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> root.relativize(file).toString().replace(separator, "/"))
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            Throwable cause = e instanceof UncheckedIOException ? e.getCause() : e;
            throw new DataException("cannot list " + title() + ": " + reason(cause) + "; make it readable", cause);
        }
    }

    @Override
    public byte[] read(String path) throws CorruptImageException {
        return readFile(root.resolve(path));
    }

    /** The bytes of a file of at most {@link ImageDecoder#MAX_FILE_BYTES}. */
    static byte[] readFile(Path file) throws CorruptImageException {
        if (Files.isDirectory(file)) {
            throw new CorruptImageException(file.toString(), "it is a folder, not an image file");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(ImageDecoder.MAX_FILE_BYTES + 1);
            if (bytes.length > ImageDecoder.MAX_FILE_BYTES) {
                throw new CorruptImageException(
                        file.toString(), "the file exceeds the limit of " + ImageDecoder.MAX_FILE_BYTES + " bytes");
            }
            return bytes;
        } catch (CorruptImageException e) {
            throw e;
        } catch (IOException e) {
            throw new CorruptImageException(file.toString(), reason(e), e);
        }
    }

    /** Java's messages for these are the bare path. */
    static String reason(Throwable e) {
        return switch (e) {
            case NoSuchFileException missing -> "the file does not exist";
            case AccessDeniedException denied -> "access to " + QuotedName.of(denied.getFile()) + " is denied";
            case FileSystemLoopException loop -> "symbolic links form a loop at " + QuotedName.of(loop.getFile());
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }

    @Override
    public String describe(String path) {
        return root.resolve(path).toString();
    }

    @Override
    public void close() {}
}
