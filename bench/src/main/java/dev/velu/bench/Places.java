package dev.velu.bench;

import dev.velu.peers.jni.VeluJni;
import java.net.URISyntaxException;
import java.nio.file.Path;

/** Where the build put what the benchmarks need beside their class path. */
final class Places {
    private Places() {}

    /** {@code bench/target}: this module's jar, or its folder of classes, lies there. */
    static Path target() {
        try {
            return Path.of(Places.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toAbsolutePath()
                    .getParent();
        } catch (URISyntaxException e) {
            throw new IllegalStateException("this module lies at no path", e);
        }
    }

    /** JavaCPP's glue, made by the module {@code bench/peers}. */
    static Path glue() {
        return target().resolveSibling("peers")
                .resolve("target")
                .resolve("javacpp")
                .resolve(VeluJni.GLUE);
    }

    /** Where DJL unpacks libtorch, once. */
    static Path djl() {
        return target().resolve("djl");
    }
}
