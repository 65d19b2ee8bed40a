package dev.velu.trainer.data;

import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * The folder that named data sets lie in, each in a folder of its own name, where none is given: {@code $VELU_DATA_DIR},
 * else {@code $XDG_CACHE_HOME/velu/data}, else {@code ~/.cache/velu/data}.
 */
public final class DataFolder {

    private DataFolder() {}

    /** The folder of this user; it need not exist. */
    public static Path standard() {
        return standard(System::getenv, Path.of(System.getProperty("user.home")));
    }

    /** {@code given}, or the standard one for null. */
    public static Path orStandard(Path given) {
        return given != null ? given : standard();
    }

    static Path standard(UnaryOperator<String> environment, Path home) {
        String own = environment.apply("VELU_DATA_DIR");
        if (own != null && !own.isBlank()) {
            return Path.of(own);
        }
        String cache = environment.apply("XDG_CACHE_HOME");
        // The XDG specification has relative paths ignored.
        boolean usable = cache != null && !cache.isBlank() && Path.of(cache).isAbsolute();
        return (usable ? Path.of(cache) : home.resolve(".cache"))
                .resolve("velu")
                .resolve("data");
    }
}
