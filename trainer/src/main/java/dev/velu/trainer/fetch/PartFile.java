package dev.velu.trainer.fetch;

import java.io.IOException;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * What has come of a file so far, {@code NAME.part}, and beside it, in {@code NAME.part.from}, from where and which
 * version: without that, the rest of another version could be joined to it.
 */
final class PartFile {

    /**
     * Where the beginning came from.
     *
     * @param address the address that was asked
     * @param version its strong ETag or the date of its last change, as the server gave it; empty if it gave none
     */
    record Origin(String address, String version) {

        static Origin of(String address, HttpHeaders headers) {
            // A weak ETag says that the content means the same, not that it has the same bytes.
            String version = headers.firstValue("ETag")
                    .filter(tag -> !tag.startsWith("W/"))
                    .or(() -> headers.firstValue("Last-Modified"))
                    .orElse("");
            return new Origin(address, version.replaceAll("\\R", " "));
        }
    }

    private final Path part;
    private final Path from;

    PartFile(Path target) {
        part = target.resolveSibling(target.getFileName() + ".part");
        from = target.resolveSibling(target.getFileName() + ".part.from");
    }

    Path path() {
        return part;
    }

    long size() throws IOException {
        return Files.exists(part) ? Files.size(part) : 0;
    }

    /** Where the bytes came from; null if that is not known. */
    Origin origin() throws IOException {
        if (!Files.exists(from)) {
            return null;
        }
        List<String> lines = Files.readAllLines(from, StandardCharsets.UTF_8);
        return lines.size() == 2 ? new Origin(lines.get(0), lines.get(1)) : null;
    }

    void begin(Origin origin) throws IOException {
        discard();
        Files.writeString(from, origin.address() + "\n" + origin.version() + "\n");
    }

    void discard() throws IOException {
        Files.deleteIfExists(part);
        Files.deleteIfExists(from);
    }

    void moveTo(Path target) throws IOException {
        Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        Files.deleteIfExists(from);
    }
}
