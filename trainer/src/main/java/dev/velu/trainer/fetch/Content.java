package dev.velu.trainer.fetch;

import dev.velu.trainer.data.RemoteFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Whether a file is the published one. */
final class Content {

    private Content() {}

    /**
     * Why {@code path} is not {@code file}: its digest differs or, where none is published, its size.
     *
     * @return null if it is
     */
    static String difference(Path path, RemoteFile file) throws IOException {
        if (file.digest() == null) {
            long size = Files.size(path);
            return file.bytes() == 0 || size == file.bytes()
                    ? null
                    : "it has " + size + " bytes, published are " + file.bytes();
        }
        String hex = hex(path, file.digest().algorithm());
        return hex.equals(file.digest().hex())
                ? null
                : "its " + file.digest().algorithm() + " is " + hex + ", published is "
                        + file.digest().hex();
    }

    private static String hex(Path path, String algorithm) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException e) {
            throw new FetchException("this Java has no " + algorithm + " to check files with; use another one", e);
        }
        byte[] buffer = new byte[1 << 18];
        try (InputStream in = Files.newInputStream(path)) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
