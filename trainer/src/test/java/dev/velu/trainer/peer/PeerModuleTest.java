package dev.velu.trainer.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeerModuleTest {
    @TempDir
    Path folder;

    @Test
    void theProgramsJarIsFoundAmongOthers() throws IOException {
        Files.writeString(folder.resolve("velu-bench-peers-0.1.0-sources.jar"), "");
        Files.writeString(folder.resolve("velu-bench-peers-0.1.0.jar"), "");

        PeerModule module = PeerModule.in(folder);

        assertThat(module.classPath())
                .isEqualTo(folder.resolve("velu-bench-peers-0.1.0.jar").toString());
        assertThat(module.cache()).isEqualTo(folder.resolve("djl"));
    }

    @Test
    void aFolderWithoutItIsNamedWithTheRemedy() {
        assertThatThrownBy(() -> PeerModule.in(folder))
                .isInstanceOf(PeerException.class)
                .hasMessageContaining(folder.toString())
                .hasMessageContaining("mvn -pl bench/peers");
        assertThatThrownBy(() -> PeerModule.in(folder.resolve("none")))
                .isInstanceOf(PeerException.class)
                .hasMessageContaining("none");
    }
}
