package dev.velu.device;

import dev.velu.bindings.VeluNative;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds and loads {@code libvelu.so}, once. In this order:
 *
 * <ol>
 *   <li>the folder named by the system property {@code velu.library.path};
 *   <li>the folder named by the environment variable {@code VELU_LIBRARY_PATH};
 *   <li>the libraries packed in the jar, extracted once to {@code <cache>/velu/<hash>}, where {@code <cache>} is the system
 *       property {@code velu.cache.dir}, else {@code XDG_CACHE_HOME}, else {@code ~/.cache}, else the temporary folder.
 * </ol>
 *
 * A property or variable that is set is the caller's decision: if it does not hold the library, loading fails and does not
 * go on to the next. The error lists every path tried.
 */
public final class NativeLibrary {
    private static final String NAME = "libvelu.so";
    private static final String RESOURCES = "/dev/velu/native/linux-x86_64/";

    private static Path loaded;

    private NativeLibrary() {}

    /**
     * Loads the library at the first call.
     *
     * @return the path it was loaded from
     * @throws UnsatisfiedLinkError if it cannot be found or loaded, or its ABI is another version; lists the paths tried
     */
    public static synchronized Path load() {
        if (loaded == null) {
            Path library = find();
            loadFrom(library);
            int version = VeluNative.velu_abi_version();
            if (version != VeluNative.VELU_ABI_VERSION()) {
                throw new UnsatisfiedLinkError(library + " has ABI version " + version + ", these bindings need "
                        + VeluNative.VELU_ABI_VERSION() + "; rebuild the native library");
            }
            loaded = library;
        }
        return loaded;
    }

    /** Version of the loaded native library. */
    public static String version() {
        load();
        return VeluNative.velu_version().getString(0);
    }

    /** Throws if a call without a context failed. */
    static void check(int status, String function) {
        if (status != VeluNative.VELU_STATUS_SUCCESS()) {
            throw new VeluException(
                    Status.of(status),
                    function + ": " + VeluNative.velu_status_name(status).getString(0));
        }
    }

    private static void loadFrom(Path library) {
        try {
            System.load(library.toString());
        } catch (UnsatisfiedLinkError e) {
            throw linkError("cannot load " + library + ": " + e.getMessage(), e);
        }
    }

    private static Path find() {
        List<String> tried = new ArrayList<>();
        Map<String, String> overrides = new TreeMap<>();
        String property = System.getProperty("velu.library.path");
        String variable = System.getenv("VELU_LIBRARY_PATH");
        if (property != null && !property.isBlank()) {
            overrides.put("-Dvelu.library.path", property);
        } else if (variable != null && !variable.isBlank()) {
            overrides.put("VELU_LIBRARY_PATH", variable);
        }
        for (Map.Entry<String, String> override : overrides.entrySet()) {
            Path library = Path.of(override.getValue()).toAbsolutePath().resolve(NAME);
            if (Files.isRegularFile(library)) {
                return library;
            }
            tried.add(library + " (" + override.getKey() + ")");
        }
        if (overrides.isEmpty()) {
            try {
                Path library = extract(tried);
                if (library != null) {
                    return library;
                }
            } catch (IOException e) {
                throw linkError("cannot extract the packed native libraries: " + e + "; tried " + tried, e);
            }
        }
        throw new UnsatisfiedLinkError(NAME + " not found; tried " + String.join(", ", tried)
                + ". Build it with `mvn package`, or set -Dvelu.library.path to the folder that holds it");
    }

    private static Path extract(List<String> tried) throws IOException {
        String platform = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        byte[] manifest;
        try (InputStream in = NativeLibrary.class.getResourceAsStream(RESOURCES + "manifest")) {
            if (in == null) {
                tried.add("resource " + RESOURCES + NAME + " (not on the class path)");
                return null;
            }
            manifest = in.readAllBytes();
        }
        if (!platform.equals("Linux amd64")) {
            tried.add("resource " + RESOURCES + NAME + " (for Linux amd64, this is " + platform + ")");
            return null;
        }
        Path folder = cacheFolder().resolve("velu").resolve(sha256(manifest).substring(0, 16));
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new java.io.ByteArrayInputStream(manifest), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split(" +", 3);
                extractOne(folder, fields[2], Long.parseLong(fields[1]));
            }
        }
        return folder.resolve(NAME);
    }

    /**
     * Extracts one library unless the cache holds it. The folder is named by the hash of all contents and files appear in it
     * whole, by renaming, so another process may do the same at once and the size tells enough.
     */
    private static void extractOne(Path folder, String name, long size) throws IOException {
        Path library = folder.resolve(name);
        if (Files.isRegularFile(library) && Files.size(library) == size) {
            return;
        }
        Files.createDirectories(folder);
        Path temporary = Files.createTempFile(folder, name, ".part");
        try (InputStream in = NativeLibrary.class.getResourceAsStream(RESOURCES + name)) {
            if (in == null) {
                throw new IOException("the jar lists " + name + " but does not hold it");
            }
            Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
            Files.move(temporary, library, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static Path cacheFolder() {
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

    private static UnsatisfiedLinkError linkError(String message, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
        error.initCause(cause);
        return error;
    }
}
