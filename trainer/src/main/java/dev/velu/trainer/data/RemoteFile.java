package dev.velu.trainer.data;

import java.net.URI;
import java.util.List;
import java.util.Objects;

/**
 * A file of a published data set.
 *
 * @param name what it is called in the folder of the data set
 * @param addresses where it is published, the best first; at least one
 * @param bytes its size, or 0 where that is not known
 * @param digest what its content must have, or null where none is published: then its size is all that can be checked
 * @param unpacking what to take out of it, or null to keep it as it is; the archive is removed afterwards
 */
public record RemoteFile(String name, List<URI> addresses, long bytes, Digest digest, Unpacking unpacking) {

    /** @throws IllegalArgumentException if there is no address or the size is negative */
    public RemoteFile {
        Objects.requireNonNull(name, "name");
        addresses = List.copyOf(addresses);
        if (addresses.isEmpty()) {
            throw new IllegalArgumentException("file " + name + " has no address");
        }
        if (bytes < 0) {
            throw new IllegalArgumentException("file " + name + " has a negative size: " + bytes);
        }
    }

    /**
     * A published digest.
     *
     * @param algorithm {@code MD5} or {@code SHA-256}, as {@link java.security.MessageDigest} names it
     * @param hex its value in lower-case hexadecimal digits
     */
    public record Digest(String algorithm, String hex) {

        /** @throws IllegalArgumentException if the value is not as long as the algorithm makes it, or not hexadecimal */
        public Digest {
            int digits = switch (algorithm) {
                case "MD5" -> 32;
                case "SHA-256" -> 64;
                default -> throw new IllegalArgumentException("unknown digest " + algorithm);
            };
            if (!hex.matches("[0-9a-f]{" + digits + "}")) {
                throw new IllegalArgumentException(algorithm + " " + hex + " is not " + digits + " lower-case digits");
            }
        }

        static Digest md5(String hex) {
            return new Digest("MD5", hex);
        }

        static Digest sha256(String hex) {
            return new Digest("SHA-256", hex);
        }
    }

    /**
     * What to take out of an archive.
     *
     * @param members the names, without folders, of the files wanted; empty for all
     * @param inner the name, without folders, of an archive inside the archive that holds the files; null for none
     */
    public record Unpacking(List<String> members, String inner) {

        public Unpacking {
            members = List.copyOf(members);
        }

        static Unpacking all() {
            return new Unpacking(List.of(), null);
        }

        static Unpacking only(String... members) {
            return new Unpacking(List.of(members), null);
        }

        static Unpacking inside(String archive) {
            return new Unpacking(List.of(), archive);
        }
    }
}
