package dev.velu.device;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the CUDA backend is to look first for cuDNN and cuBLAS, which it opens at run time:
 *
 * <ol>
 *   <li>the folders of the system property {@code velu.cuda.path}, separated by colons; else those of the environment
 *       variable {@code VELU_CUDA_PATH};
 *   <li>the libraries in {@code org.bytedeco:cuda}'s jar {@code linux-x86_64-redist} if it is on the class path, extracted
 *       once to the {@link LibraryCache} unless a folder above holds cuDNN. That takes more than a gigabyte, so it happens
 *       only where a CUDA driver is installed.
 * </ol>
 *
 * The backend goes on with the places of the system after these.
 */
final class CudaLibraries {
    private static final Logger LOG = LoggerFactory.getLogger(CudaLibraries.class);
    private static final String RESOURCES = "org/bytedeco/cuda/linux-x86_64/";
    /** In each redist jar of cuDNN 9, and what the backend opens first. */
    private static final String CUDNN = "libcudnn_graph.so.9";
    /** What convolutions and matrix products need, directly or opened by cuDNN: about half of what the jar holds. */
    private static final Pattern NEEDED =
            Pattern.compile("lib(cudnn_(graph|cnn|ops|heuristic|engines_.*)|cublasLt|nvrtc(-builtins)?)\\.so\\..*");

    private static final List<Path> DRIVER_FILES = List.of(Path.of("/dev/nvidiactl"), Path.of("/dev/nvidia0"));

    private CudaLibraries() {}

    /** The folders, separated by colons; empty for none. */
    static String searchPath() {
        String given = given();
        if (!driverInstalled() || holdsCudnn(given)) {
            return given;
        }
        try {
            Path folder = packed(CudaLibraries.class.getClassLoader());
            if (folder == null) {
                return given;
            }
            return given.isEmpty() ? folder.toString() : given + File.pathSeparator + folder;
        } catch (IOException e) {
            LOG.warn("cannot extract the packed CUDA libraries, so they are looked for elsewhere: {}", e.toString());
            return given;
        }
    }

    private static String given() {
        String property = System.getProperty("velu.cuda.path");
        if (property != null && !property.isBlank()) {
            return property;
        }
        String variable = System.getenv("VELU_CUDA_PATH");
        return variable == null || variable.isBlank() ? "" : variable;
    }

    private static boolean holdsCudnn(String folders) {
        return Arrays.stream(folders.split(File.pathSeparator))
                .filter(folder -> !folder.isBlank())
                .flatMap(folder -> Stream.of(Path.of(folder), Path.of(folder, "lib"), Path.of(folder, "lib64")))
                .anyMatch(folder -> Files.exists(folder.resolve(CUDNN)));
    }

    private static boolean driverInstalled() {
        if (DRIVER_FILES.stream().anyMatch(Files::exists)) {
            return true;
        }
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup("libcuda.so.1", arena);
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    /**
     * The folder that holds the class path's CUDA libraries as files, or null if the class path has none.
     *
     * @throws IOException if they cannot be read or extracted
     */
    static Path packed(ClassLoader loader) throws IOException {
        URL cudnn = loader.getResource(RESOURCES + CUDNN);
        if (cudnn == null) {
            return null;
        }
        URLConnection connection = cudnn.openConnection();
        if (!(connection instanceof JarURLConnection inJar)) {
            return Path.of(URI.create(cudnn.toString())).getParent();
        }
        // A jar opened for this alone: the shared one of a cache must not be closed.
        inJar.setUseCaches(false);
        try (JarFile jar = inJar.getJarFile()) {
            return extract(jar);
        }
    }

    private static Path extract(JarFile jar) throws IOException {
        List<JarEntry> libraries = new ArrayList<>(jar.stream()
                .filter(entry -> entry.getName().startsWith(RESOURCES)
                        && NEEDED.matcher(fileName(entry)).matches())
                .toList());
        libraries.sort(Comparator.comparing(JarEntry::getName));
        String description = libraries.stream()
                .map(entry -> fileName(entry) + " " + entry.getSize() + " " + entry.getCrc())
                .collect(Collectors.joining("\n"));
        Path folder = LibraryCache.folder("cuda-", description.getBytes(StandardCharsets.UTF_8));
        long missing = 0;
        for (JarEntry entry : libraries) {
            if (!LibraryCache.holds(folder.resolve(fileName(entry)), entry.getSize())) {
                missing += entry.getSize();
            }
        }
        if (missing > 0) {
            LOG.info(
                    "extracting {} MiB of CUDA libraries from {} to {}, once; this takes a while",
                    Math.ceilDiv(missing, 1 << 20),
                    jar.getName(),
                    folder);
        }
        for (JarEntry entry : libraries) {
            LibraryCache.extract(() -> jar.getInputStream(entry), folder.resolve(fileName(entry)), entry.getSize());
        }
        return folder;
    }

    private static String fileName(JarEntry entry) {
        return entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
    }
}
