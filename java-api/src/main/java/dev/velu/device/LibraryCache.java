package dev.velu.device;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Folders to which libraries packed in jars are extracted, once: {@code <cache>/velu/<name>}, where {@code <cache>} is the
 * system property {@code velu.cache.dir}, else {@code XDG_CACHE_HOME}, else {@code ~/.cache}, else the temporary folder.
 */
final class LibraryCache {
    private static final int HASH_CHARACTERS = 16;

    /** Opens what is to be extracted. */
    @FunctionalInterface
    interface Source {
        InputStream open() throws IOException;
    }

    private LibraryCache() {}

    /**
     * The folder for libraries that {@code description} tells from all others; it may not exist yet.
     *
     * @param prefix of the folder's name, before a hash of the description
     */
    static Path folder(String prefix, byte[] description) {
        return root().resolve("velu").resolve(prefix + sha256(description).substring(0, HASH_CHARACTERS));
    }

    /** Whether the file was extracted before, whole. */
    static boolean holds(Path file, long size) throws IOException {
        return Files.isRegularFile(file) && Files.size(file) == size;
    }

    /**
     * Extracts one file unless the cache holds it. The folder is named by the hash of all contents and files appear in it
     * whole, by renaming, so another process may do the same at once and the size tells enough.
     */
    static void extract(Source source, Path file, long size) throws IOException {
        if (holds(file, size)) {
            return;
        }
        Files.createDirectories(file.getParent());
        Path temporary =
                Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
        try (InputStream in = source.open()) {
            Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
            if (Files.size(temporary) != size) {
                throw new IOException("the jar says that " + file.getFileName() + " has " + size + " bytes but holds "
                        + Files.size(temporary) + "; it is damaged");
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static Path root() {
        String property = System.getProperty("velu.cache.dir");
        if (property != null && !property.isBlank()) {
            return Path.of(property).toAbsolutePath();
        }
        String variable = System.getenv("XDG_CACHE_HOME");
        if (variable != null && !variable.isBlank()) {
            return Path.of(variable).toAbsolutePath();
        }
        Path home = Path.of(System.getProperty("user.home", ""));
        if (Files.isWritable(home)) {
            return home.resolve(".cache");
        }
        return Path.of(System.getProperty("java.io.tmpdir"));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
