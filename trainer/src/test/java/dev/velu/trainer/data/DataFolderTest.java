package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DataFolderTest {

    private static final Path HOME = Path.of("/home/ada");

    private static Path with(Map<String, String> environment) {
        return DataFolder.standard(environment::get, HOME);
    }

    @Test
    void isInTheCacheOfTheUser() {
        assertThat(with(Map.of())).isEqualTo(Path.of("/home/ada/.cache/velu/data"));
    }

    @Test
    void followsTheCacheFolder() {
        assertThat(with(Map.of("XDG_CACHE_HOME", "/var/cache/ada"))).isEqualTo(Path.of("/var/cache/ada/velu/data"));
    }

    @Test
    void ignoresARelativeCacheFolder() {
        assertThat(with(Map.of("XDG_CACHE_HOME", "cache"))).isEqualTo(Path.of("/home/ada/.cache/velu/data"));
    }

    @Test
    void aFolderOfItsOwnComesFirst() {
        assertThat(with(Map.of("VELU_DATA_DIR", "/data", "XDG_CACHE_HOME", "/var/cache/ada")))
                .isEqualTo(Path.of("/data"));
    }
}
