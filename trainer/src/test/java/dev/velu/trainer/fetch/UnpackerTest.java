package dev.velu.trainer.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.data.RemoteFile.Unpacking;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnpackerTest {

    private static final byte[] TEXT = "some text".getBytes(StandardCharsets.UTF_8);
    private static final Unpacking ALL = new Unpacking(List.of(), null);

    @TempDir
    private Path folder;

    /** Writes entries of a tar archive. */
    @FunctionalInterface
    private interface Tar {
        void write(TarArchiveOutputStream out) throws IOException;
    }

    private static byte[] tarGz(Tar entries) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream out = new TarArchiveOutputStream(new GzipCompressorOutputStream(bytes))) {
            out.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            entries.write(out);
        }
        return bytes.toByteArray();
    }

    private static void file(TarArchiveOutputStream out, String name, byte[] content) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, true);
        entry.setSize(content.length);
        out.putArchiveEntry(entry);
        out.write(content);
        out.closeArchiveEntry();
    }

    private static void special(TarArchiveOutputStream out, String name, byte type, String target) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, type, true);
        entry.setLinkName(target);
        out.putArchiveEntry(entry);
        out.closeArchiveEntry();
    }

    private static void file(ZipArchiveOutputStream out, String name, byte[] content, int mode) throws IOException {
        ZipArchiveEntry entry = new ZipArchiveEntry(name);
        if (mode != 0) {
            entry.setUnixMode(mode);
        }
        out.putArchiveEntry(entry);
        out.write(content);
        out.closeArchiveEntry();
    }

    private Path zip(String name, byte[] content, int mode) throws IOException {
        Path path = folder.resolve("set.zip");
        try (ZipArchiveOutputStream out = new ZipArchiveOutputStream(path)) {
            file(out, "good.txt", TEXT, 0);
            file(out, name, content, mode);
        }
        return path;
    }

    private Path save(byte[] archive) throws IOException {
        return Files.write(folder.resolve("set.tar.gz"), archive);
    }

    private void unpack(Path archive, Unpacking unpacking, ArchiveLimits limits) throws IOException {
        Unpacker.unpack(archive, folder.resolve("out"), unpacking, limits, new RecordedMessages());
    }

    private void assertRefused(Path archive, String... fragments) {
        assertThatThrownBy(() -> unpack(archive, ALL, ArchiveLimits.defaults()))
                .isInstanceOf(FetchException.class)
                .message()
                .contains(fragments)
                .doesNotContain("\n");
        assertThat(folder.resolveSibling("escaped")).doesNotExist();
        assertThat(folder.resolve("escaped")).doesNotExist();
    }

    private List<String> unpacked() throws IOException {
        Path out = folder.resolve("out");
        try (Stream<Path> files = Files.walk(out)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> out.relativize(file).toString())
                    .sorted()
                    .toList();
        }
    }

    @Test
    void unpacksATarArchive() throws IOException {
        unpack(
                save(tarGz(out -> {
                    special(out, "set/", TarConstants.LF_DIR, "");
                    file(out, "set/a.txt", TEXT);
                    file(out, "./set/b/c.txt", new byte[100_000]);
                })),
                ALL,
                ArchiveLimits.defaults());
        assertThat(unpacked()).containsExactly("set/a.txt", "set/b/c.txt");
        assertThat(folder.resolve("out/set/a.txt")).hasBinaryContent(TEXT);
    }

    @Test
    void unpacksAZipArchive() throws IOException {
        unpack(zip("set/b/c.txt", TEXT, 0100644), ALL, ArchiveLimits.defaults());
        assertThat(unpacked()).containsExactly("good.txt", "set/b/c.txt");
        assertThat(folder.resolve("out/set/b/c.txt")).hasBinaryContent(TEXT);
    }

    @Test
    void takesOnlyWhatIsWanted() throws IOException {
        Path archive = save(tarGz(out -> {
            file(out, "set/wanted.bin", TEXT);
            file(out, "set/other.bin", TEXT);
        }));
        unpack(archive, new Unpacking(List.of("wanted.bin"), null), ArchiveLimits.defaults());
        assertThat(unpacked()).containsExactly("set/wanted.bin");
    }

    @Test
    void saysWhatIsMissing() throws IOException {
        Path archive = save(tarGz(out -> file(out, "set/other.bin", TEXT)));
        assertThatThrownBy(() -> unpack(archive, new Unpacking(List.of("wanted.bin"), null), ArchiveLimits.defaults()))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("has no wanted.bin");
    }

    @Test
    void unpacksTheArchiveInsideAnArchive() throws IOException {
        Path archive = zip("caltech-101/inner.tar.gz", tarGz(out -> file(out, "classes/a.jpg", TEXT)), 0);
        unpack(archive, new Unpacking(List.of(), "inner.tar.gz"), ArchiveLimits.defaults());
        assertThat(unpacked()).containsExactly("classes/a.jpg");
        assertThat(folder.resolve("out.outer")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../escaped", "a/../../escaped", "/tmp/escaped", "..\\escaped", "C:\\escaped", "a/.."})
    void refusesNamesThatPointOutside(String name) throws IOException {
        assertRefused(save(tarGz(out -> file(out, name, TEXT))), "not to be trusted", "'" + name + "'");
        assertRefused(zip(name, TEXT, 0), "not to be trusted");
    }

    @Test
    void refusesControlCharactersInNames() throws IOException {
        assertRefused(save(tarGz(out -> file(out, "a\u001b[2Jb", TEXT))), "control characters", "'a?[2Jb'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc/passwd", "../../escaped", "a/../../../escaped"})
    void refusesLinksThatLeave(String target) throws IOException {
        assertRefused(
                save(tarGz(out -> special(out, "set/link", TarConstants.LF_SYMLINK, target))), "link to '" + target);
        assertRefused(save(tarGz(out -> special(out, "set/hard", TarConstants.LF_LINK, target))), "link to");
        assertRefused(zip("set/link", target.getBytes(StandardCharsets.UTF_8), 0120777), "link to '" + target);
    }

    @Test
    void writesNothingThroughALink() throws IOException {
        unpack(
                save(tarGz(out -> {
                    special(out, "set/link", TarConstants.LF_SYMLINK, "other");
                    file(out, "set/link/a.txt", TEXT);
                })),
                ALL,
                ArchiveLimits.defaults());
        assertThat(Files.isSymbolicLink(folder.resolve("out/set/link"))).isFalse();
        assertThat(unpacked()).containsExactly("set/link/a.txt");
    }

    @ParameterizedTest
    @ValueSource(bytes = {TarConstants.LF_CHR, TarConstants.LF_BLK, TarConstants.LF_FIFO})
    void refusesDevices(byte type) throws IOException {
        assertRefused(save(tarGz(out -> special(out, "set/device", type, ""))), "'set/device' is a device");
    }

    @Test
    void refusesDevicesInZipArchives() throws IOException {
        assertRefused(zip("set/device", new byte[0], 0020666), "'set/device' is a device");
    }

    @Test
    void refusesATarArchiveThatGrowsTooMuch() throws IOException {
        Path archive = save(tarGz(out -> file(out, "zeros", new byte[2_000_000])));
        assertThatThrownBy(() -> unpack(archive, ALL, new ArchiveLimits(10, 1L << 30, 100, 100_000)))
                .isInstanceOf(FetchException.class)
                .hasMessageContainingAll("'zeros'", "decompression bomb");
    }

    @Test
    void refusesAZipArchiveThatGrowsTooMuch() throws IOException {
        Path archive = zip("zeros", new byte[2_000_000], 0);
        assertThatThrownBy(() -> unpack(archive, ALL, new ArchiveLimits(10, 1L << 30, 100, 100_000)))
                .isInstanceOf(FetchException.class)
                .hasMessageContainingAll("'zeros'", "decompression bomb");
    }

    @Test
    void countsWhatIsNotWantedToo() throws IOException {
        Path archive = save(tarGz(out -> file(out, "zeros", new byte[2_000_000])));
        assertThatThrownBy(() -> unpack(
                        archive,
                        new Unpacking(List.of("wanted.bin"), null),
                        new ArchiveLimits(10, 1L << 30, 100, 100_000)))
                .hasMessageContaining("decompression bomb");
    }

    @Test
    void refusesMoreThanTheLimitOfBytes() throws IOException {
        Path archive = zip("set/b", new byte[5_000], 0);
        assertThatThrownBy(() -> unpack(archive, ALL, new ArchiveLimits(10, 4_000, 1000, 1000)))
                .hasMessageContaining("larger than the 4000 bytes");
    }

    @Test
    void refusesTooManyEntries() throws IOException {
        Path archive = save(tarGz(out -> {
            for (int i = 0; i < 11; i++) {
                file(out, "file" + i, TEXT);
            }
        }));
        assertThatThrownBy(() -> unpack(archive, ALL, new ArchiveLimits(10, 1 << 20, 100, 1 << 20)))
                .hasMessageContainingAll("'file10'", "more than 10 entries");
    }

    @Test
    void refusesAFileThatIsThereTwice() throws IOException {
        assertRefused(
                save(tarGz(out -> {
                    file(out, "a", TEXT);
                    file(out, "a", TEXT);
                })),
                "'a' is there twice");
    }

    @Test
    void namesATruncatedArchive() throws IOException {
        byte[] whole = tarGz(out -> file(out, "noise", noise()));
        assertRefused(save(Arrays.copyOf(whole, whole.length / 2)), "set.tar.gz", "damaged");
        Path zip = zip("noise", noise(), 0);
        Files.write(zip, Arrays.copyOf(Files.readAllBytes(zip), 3_000));
        assertRefused(zip, "set.zip", "damaged");
    }

    @Test
    void namesADamagedZipArchive() throws IOException {
        Path zip = zip("noise", noise(), 0);
        byte[] bytes = Files.readAllBytes(zip);
        bytes[bytes.length / 2] ^= 1;
        Files.write(zip, bytes);
        assertRefused(zip, "set.zip", "damaged");
    }

    @Test
    void refusesWhatIsNoArchive() throws IOException {
        assertRefused(save("<html>".getBytes(StandardCharsets.UTF_8)), "neither zip nor tar.gz");
        assertRefused(save(new byte[0]), "neither zip nor tar.gz");
    }

    private static byte[] noise() {
        byte[] bytes = new byte[20_000];
        new Random(3).nextBytes(bytes);
        return bytes;
    }
}
