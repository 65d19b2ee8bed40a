package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.velu.bindings.VeluNative;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The search for the native library, each time in a fresh process. */
class NativeLibraryTest {
    private static final String MANIFEST = "/dev/velu/native/linux-x86_64/manifest";

    @TempDir
    private Path folder;

    /** What the fresh process runs: prints the path of the loaded library, or why none was loaded. */
    static final class Load {
        public static void main(String[] arguments) {
            try {
                System.out.println("loaded " + NativeLibrary.load());
            } catch (UnsatisfiedLinkError e) {
                System.out.println("failed " + e.getMessage());
            }
        }
    }

    @Test
    void aFolderOfThePropertyWithoutTheLibraryIsNamedAndEndsTheSearch() throws Exception {
        assertThat(load(fullClassPath(), Map.of(), "-Dvelu.library.path=" + folder))
                .startsWith("failed libvelu.so not found")
                .contains(folder.resolve("libvelu.so") + " (-Dvelu.library.path)")
                .doesNotContain("resource");
    }

    @Test
    void aFolderOfTheVariableWithoutTheLibraryIsNamedAndEndsTheSearch() throws Exception {
        assertThat(load(fullClassPath(), Map.of("VELU_LIBRARY_PATH", folder.toString())))
                .startsWith("failed libvelu.so not found")
                .contains(folder.resolve("libvelu.so") + " (VELU_LIBRARY_PATH)")
                .doesNotContain("resource");
    }

    @Test
    void withoutAnyLibraryTheErrorListsTheResourceAndTheRemedy() throws Exception {
        assertThat(load(classPathWithoutLibrary(), Map.of()))
                .startsWith("failed libvelu.so not found")
                .contains("resource /dev/velu/native/linux-x86_64/libvelu.so")
                .contains("-Dvelu.library.path");
    }

    @Test
    void aFileThatIsNoLibraryIsNamed() throws Exception {
        Path library = Files.writeString(folder.resolve("libvelu.so"), "text");
        assertThat(load(fullClassPath(), Map.of(), "-Dvelu.library.path=" + folder))
                .contains("failed cannot load " + library);
    }

    @Test
    void thePackedLibrariesAreExtractedOnce() throws Exception {
        assumeTrue(NativeLibrary.class.getResource(MANIFEST) != null, "the packed libraries are not on the class path");
        String first = load(fullClassPath(), Map.of(), "-Dvelu.cache.dir=" + folder);
        assertThat(first).startsWith("loaded " + folder.resolve("velu"));
        Path library = Path.of(first.substring("loaded ".length()).strip());
        Object written = Files.getLastModifiedTime(library);
        assertThat(load(fullClassPath(), Map.of(), "-Dvelu.cache.dir=" + folder))
                .isEqualTo(first);
        assertThat(Files.getLastModifiedTime(library)).isEqualTo(written);
        try (Stream<Path> files = Files.list(library.getParent())) {
            assertThat(files).noneMatch(file -> file.toString().endsWith(".part"));
        }
    }

    @Test
    void aFileOfTheCacheThatWasCutShortIsExtractedAgain() throws Exception {
        assumeTrue(NativeLibrary.class.getResource(MANIFEST) != null, "the packed libraries are not on the class path");
        String first = load(fullClassPath(), Map.of(), "-Dvelu.cache.dir=" + folder);
        Path library = Path.of(first.substring("loaded ".length()).strip());
        Files.writeString(library, "cut short");
        assertThat(load(fullClassPath(), Map.of(), "-Dvelu.cache.dir=" + folder))
                .isEqualTo(first);
    }

    @Test
    void aCacheThatCannotBeWrittenIsNamed() throws Exception {
        assumeTrue(NativeLibrary.class.getResource(MANIFEST) != null, "the packed libraries are not on the class path");
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThat(load(fullClassPath(), Map.of(), "-Dvelu.cache.dir=" + file))
                .startsWith("failed cannot extract")
                .contains(file.toString());
    }

    @Test
    void theLoadedLibraryHasAVersion() {
        assertThat(NativeLibrary.version()).matches("\\d+\\.\\d+\\.\\d+.*");
    }

    private static String fullClassPath() {
        return System.getProperty("java.class.path");
    }

    private static String classPathWithoutLibrary() {
        return Stream.of(NativeLibrary.class, VeluNative.class, Load.class)
                .map(type ->
                        type.getProtectionDomain().getCodeSource().getLocation().getPath())
                .distinct()
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    private String load(String classPath, Map<String, String> environment, String... jvmArguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1"));
        command.addAll(List.of(jvmArguments));
        command.addAll(List.of("-cp", classPath, Load.class.getName()));
        Path output = folder.resolve("output");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().remove("VELU_LIBRARY_PATH");
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        return Files.readString(output, StandardCharsets.UTF_8);
    }
}
