package dev.velu.device;

import dev.velu.bindings.VeluNative;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds and loads {@code libvelu.so}, once. In this order:
 *
 * <ol>
 *   <li>the folder named by the system property {@code velu.library.path};
 *   <li>the folder named by the environment variable {@code VELU_LIBRARY_PATH};
 *   <li>the libraries packed in the jar, extracted once to the folder {@code velu/<hash>} of the cache: the system property
 *       {@code velu.cache.dir}, else {@code XDG_CACHE_HOME}, else {@code ~/.cache}, else the temporary folder.
 * </ol>
 *
 * A property or variable that is set is the caller's decision: if it does not hold the library, loading fails and does not
 * go on to the next. The error lists every path tried.
 *
 * <p>The CUDA backend opens cuDNN and cuBLAS when it is first asked for. It looks first in the folders, separated by colons, of
 * the system property {@code velu.cuda.path}, else of the environment variable {@code VELU_CUDA_PATH}, then in the redist jar
 * of {@code org.bytedeco:cuda} on the class path, which is extracted to the cache once, then where the system keeps them.
 */
public final class NativeLibrary {
    private static final String NAME = "libvelu.so";
    private static final String RESOURCES = "/dev/velu/native/linux-x86_64/";

    private static Path loaded;
    private static boolean cudaPathGiven;

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

    /** Loads the library, and tells a backend that is asked for the first time where the libraries below it are. */
    static synchronized void loadFor(Device.Kind kind) {
        load();
        if (kind == Device.Kind.CUDA && !cudaPathGiven) {
            cudaPathGiven = true;
            String folders = CudaLibraries.searchPath();
            try (Arena arena = Arena.ofConfined()) {
                check(
                        VeluNative.velu_backend_library_path(kind.ordinal(), arena.allocateFrom(folders)),
                        "velu_backend_library_path");
            }
        }
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
        Path folder = LibraryCache.folder("", manifest);
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new java.io.ByteArrayInputStream(manifest), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split(" +", 3);
                String name = fields[2];
                LibraryCache.extract(() -> packed(name), folder.resolve(name), Long.parseLong(fields[1]));
            }
        }
        return folder.resolve(NAME);
    }

    private static InputStream packed(String name) throws IOException {
        InputStream in = NativeLibrary.class.getResourceAsStream(RESOURCES + name);
        if (in == null) {
            throw new IOException("the jar lists " + name + " but does not hold it");
        }
        return in;
    }

    private static UnsatisfiedLinkError linkError(String message, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
        error.initCause(cause);
        return error;
    }
}
