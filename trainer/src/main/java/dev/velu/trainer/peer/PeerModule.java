package dev.velu.trainer.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * The built module {@code bench/peers}: the program and the libraries that we are compared with.
 *
 * @param classPath of the program
 * @param cache folder for its native libraries, which are unpacked once
 */
public record PeerModule(String classPath, Path cache) {
    /** The folder with the jar, which the launcher sets. */
    public static final String PROPERTY = "velu.peers";

    /** The program's main class. */
    static final String MAIN = "dev.velu.peers.PeerProgram";

    /**
     * The module in the folder that the system property {@value #PROPERTY} names.
     *
     * @throws PeerException if there is none; says how to get it
     */
    public static PeerModule find() {
        String folder = System.getProperty(PROPERTY);
        if (folder == null) {
            throw new PeerException(
                    "comparisons with other libraries need the module bench/peers, which is not here; run"
                            + " ./velu of a source checkout, which builds it, or name its folder with -D" + PROPERTY
                            + "=FOLDER in VELU_JAVA_OPTS");
        }
        return in(Path.of(folder));
    }

    /**
     * The module in a folder. The jar's manifest names the libraries beside it.
     *
     * @throws PeerException if the folder holds no such module
     */
    static PeerModule in(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file ->
                            file.getFileName().toString().matches("velu-bench-peers-[0-9][0-9.]*(-SNAPSHOT)?[.]jar"))
                    .max(Comparator.comparing(Path::toString))
                    .map(jar -> new PeerModule(
                            jar.toString(), folder.toAbsolutePath().resolve("djl")))
                    .orElseThrow(() -> new PeerException("no velu-bench-peers-*.jar in " + folder + ", which -D"
                            + PROPERTY + " names; build it with 'mvn -pl bench/peers -am -DskipTests package'"));
        } catch (IOException e) {
            throw new PeerException(
                    "cannot look into " + folder + ", which -D" + PROPERTY + " names: " + e.getMessage(), e);
        }
    }
}
