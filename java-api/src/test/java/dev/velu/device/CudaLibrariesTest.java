package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a jar laid out like the redist jar of {@code org.bytedeco:cuda}, with a few bytes for each library. */
class CudaLibrariesTest {
    private static final String RESOURCES = "org/bytedeco/cuda/linux-x86_64/";
    private static final List<String> NEEDED = List.of(
            "libcublasLt.so.12",
            "libcudnn_cnn.so.9",
            "libcudnn_engines_precompiled.so.9",
            "libcudnn_engines_runtime_compiled.so.9",
            "libcudnn_graph.so.9",
            "libcudnn_heuristic.so.9",
            "libcudnn_ops.so.9",
            "libnvrtc-builtins.so.12.6",
            "libnvrtc.so.12");
    private static final List<String> NOT_NEEDED =
            List.of("libcudnn.so.9", "libcudnn_adv.so.9", "libcufft.so.11", "libnccl.so.2", "libcublas.so.12");

    @TempDir
    private Path folder;

    @BeforeEach
    void useOwnCache() {
        System.setProperty("velu.cache.dir", folder.resolve("cache").toString());
    }

    @AfterEach
    void forget() {
        System.clearProperty("velu.cache.dir");
        System.clearProperty("velu.cuda.path");
    }

    private Path jar(String name, String content) throws IOException {
        Path jar = folder.resolve(name);
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out)) {
            for (String library :
                    Stream.concat(NEEDED.stream(), NOT_NEEDED.stream()).toList()) {
                entries.putNextEntry(new JarEntry(RESOURCES + library));
                entries.write((content + " " + library).getBytes(StandardCharsets.UTF_8));
                entries.closeEntry();
            }
        }
        return jar;
    }

    private static Path packed(Path jarOrFolder) throws IOException {
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jarOrFolder.toUri().toURL()}, null)) {
            return CudaLibraries.packed(loader);
        }
    }

    private static List<String> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void onlyWhatIsNeededIsExtracted() throws IOException {
        Path extracted = packed(jar("redist.jar", "first"));
        assertThat(extracted).startsWith(folder.resolve("cache").resolve("velu"));
        assertThat(files(extracted)).isEqualTo(NEEDED);
        assertThat(extracted.resolve("libcudnn_ops.so.9")).hasContent("first libcudnn_ops.so.9");
    }

    @Test
    void theyAreExtractedOnce() throws IOException {
        Path jar = jar("redist.jar", "first");
        Path library = packed(jar).resolve("libcudnn_graph.so.9");
        Object written = Files.getLastModifiedTime(library);
        assertThat(packed(jar).resolve("libcudnn_graph.so.9")).isEqualTo(library);
        assertThat(Files.getLastModifiedTime(library)).isEqualTo(written);
    }

    @Test
    void oneThatWasCutShortIsExtractedAgain() throws IOException {
        Path jar = jar("redist.jar", "first");
        Path library = packed(jar).resolve("libcublasLt.so.12");
        Files.writeString(library, "cut");
        packed(jar);
        assertThat(library).hasContent("first libcublasLt.so.12");
    }

    @Test
    void anotherVersionHasAFolderOfItsOwn() throws IOException {
        assertThat(packed(jar("a.jar", "first"))).isNotEqualTo(packed(jar("b.jar", "other")));
    }

    @Test
    void librariesThatAreFilesAlreadyAreUsedWhereTheyLie() throws IOException {
        Path libraries = Files.createDirectories(folder.resolve("class path").resolve(RESOURCES));
        Files.writeString(libraries.resolve("libcudnn_graph.so.9"), "");
        assertThat(packed(folder.resolve("class path"))).isEqualTo(libraries);
        assertThat(folder.resolve("cache")).doesNotExist();
    }

    @Test
    void aClassPathWithoutThemHasNoFolder() throws IOException {
        assertThat(packed(Files.createDirectory(folder.resolve("empty")))).isNull();
    }

    @Test
    void aCacheThatCannotBeWrittenIsNamed() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        System.setProperty("velu.cache.dir", file.toString());
        Path jar = jar("redist.jar", "first");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> packed(jar))
                .withMessageContaining(file.toString());
    }

    @Test
    void theFoldersOfThePropertyComeFirst() {
        System.setProperty("velu.cuda.path", "/one:/two");
        assertThat(CudaLibraries.searchPath()).startsWith("/one:/two");
    }
}
