package dev.velu.trainer.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.velu.trainer.data.DatasetCatalog;
import dev.velu.trainer.data.DatasetCatalog.Entry;
import dev.velu.trainer.data.RemoteFile;
import dev.velu.trainer.data.RemoteFile.Digest;
import dev.velu.trainer.data.RemoteFile.Unpacking;
import dev.velu.trainer.fetch.TestServer.Served;
import dev.velu.trainer.run.FolderLock;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetFetchTest {

    private static final String ARCHIVE = "cifar-10-binary.tar.gz";
    private static final int RECORD = 3073;

    @TempDir
    private Path dataDir;

    private final RecordedMessages listener = new RecordedMessages();
    private TestServer server;
    private byte[] archive;

    @BeforeEach
    void startServer() throws IOException {
        server = new TestServer();
        archive = cifar10(2);
        server.serve("/" + ARCHIVE, Served.of(archive));
    }

    @AfterEach
    void stopServer() {
        server.close();
    }

    /** The published archive with {@code count} images per file. */
    private static byte[] cifar10(int count) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(bytes))) {
            for (int i = 1; i <= 6; i++) {
                String name = i <= 5 ? "data_batch_" + i + ".bin" : "test_batch.bin";
                TarArchiveEntry entry = new TarArchiveEntry("cifar-10-batches-bin/" + name);
                entry.setSize((long) count * RECORD);
                tar.putArchiveEntry(entry);
                tar.write(new byte[count * RECORD]);
                tar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }

    private Entry cifar10() throws Exception {
        String hex = HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(archive));
        RemoteFile file = new RemoteFile(
                ARCHIVE,
                List.of(server.address("/" + ARCHIVE)),
                archive.length,
                new Digest("MD5", hex),
                new Unpacking(List.of(), null));
        return withDownloads(DatasetCatalog.entry("cifar10"), List.of(file));
    }

    private static Entry withDownloads(Entry entry, List<RemoteFile> downloads) {
        return new Entry(
                entry.name(),
                entry.title(),
                entry.description(),
                entry.classes(),
                entry.classNames(),
                entry.imageSize(),
                entry.trainCount(),
                entry.evalCount(),
                entry.format(),
                downloads,
                entry.source(),
                entry.licence(),
                entry.files(),
                entry.normalization(),
                entry.horizontalFlip());
    }

    private DatasetFetch fetch() {
        return fetch(FetchOptions.defaults());
    }

    private DatasetFetch fetch(FetchOptions options) {
        FetchOptions quick = new FetchOptions(
                Duration.ofSeconds(5), Duration.ofSeconds(5), 2, Duration.ofMillis(5), options.mirror());
        return new DatasetFetch(dataDir, quick, listener);
    }

    @Test
    void fetchesUnpacksAndOpens() throws Exception {
        DatasetFetch.Result result = fetch().fetch(cifar10(), false);

        Path place = dataDir.resolve("cifar10/cifar-10-batches-bin");
        assertThat(result).isEqualTo(new DatasetFetch.Result(place, true, 10, 2));
        assertThat(place.resolve("data_batch_5.bin")).hasSize(2 * RECORD);
        assertThat(dataDir.resolve("cifar10").resolve(ARCHIVE)).doesNotExist();
        assertThat(dataDir.resolve("cifar10/.unpacking")).doesNotExist();
    }

    @Test
    void aSecondFetchAsksForNothing() throws Exception {
        fetch().fetch(cifar10(), false);
        int requests = server.requests.size();
        DatasetFetch.Result again = fetch().fetch(cifar10(), false);

        assertThat(again.fetched()).isFalse();
        assertThat(again.place()).isEqualTo(dataDir.resolve("cifar10/cifar-10-batches-bin"));
        assertThat(server.requests).hasSize(requests);
    }

    @Test
    void forceReplacesWhatIsThere() throws Exception {
        fetch().fetch(cifar10(), false);
        archive = cifar10(3);
        server.serve("/" + ARCHIVE, Served.of(archive).version("\"2\""));

        assertThat(fetch().fetch(cifar10(), true).trainCount()).isEqualTo(15);
    }

    @Test
    void anArchiveBroughtByHandIsUnpackedWithoutANetwork() throws Exception {
        Entry entry = cifar10();
        server.close();
        Files.createDirectories(dataDir.resolve("cifar10"));
        Files.write(dataDir.resolve("cifar10").resolve(ARCHIVE), archive);

        assertThat(fetch().fetch(entry, false).trainCount()).isEqualTo(10);
    }

    @Test
    void anotherFileOfThatNameIsFetchedInItsPlace() throws Exception {
        Files.createDirectories(dataDir.resolve("cifar10"));
        Files.write(dataDir.resolve("cifar10").resolve(ARCHIVE), new byte[100]);

        assertThat(fetch().fetch(cifar10(), false).trainCount()).isEqualTo(10);
        assertThat(listener.lines).singleElement().asString().contains(ARCHIVE, "its MD5 is");
    }

    @Test
    void withoutANetworkItSaysWhatToPutWhereAndFromWhere() throws Exception {
        Entry entry = cifar10();
        server.close();

        assertThatThrownBy(() -> fetch().fetch(entry, false))
                .isInstanceOf(FetchException.class)
                .message()
                .contains(
                        ARCHIVE,
                        server.address("/" + ARCHIVE).toString(),
                        "no connection",
                        "put it into '" + dataDir.resolve("cifar10") + "'",
                        "velu data fetch cifar10")
                .doesNotContain("\n");
    }

    @Test
    void aMirrorIsAskedFirst() throws Exception {
        server.serve("/sets/cifar10/" + ARCHIVE, Served.of(archive));
        fetch(FetchOptions.defaults().withMirror(server.address("/sets"))).fetch(cifar10(), false);

        assertThat(server.requests).containsExactly("/sets/cifar10/" + ARCHIVE);
    }

    @Test
    void aMirrorWithAnotherFileIsPassedOver() throws Exception {
        server.serve("/sets/cifar10/" + ARCHIVE, Served.of(new byte[archive.length]));
        fetch(FetchOptions.defaults().withMirror(server.address("/sets"))).fetch(cifar10(), false);

        assertThat(server.requests).containsExactly("/sets/cifar10/" + ARCHIVE, "/" + ARCHIVE);
    }

    @Test
    void twoFetchesOfOneSetDoNotMeet() throws Exception {
        Path folder = Files.createDirectories(dataDir.resolve("cifar10"));
        try (FolderLock lock =
                FolderLock.tryTake(folder.resolve(DatasetFetch.LOCK)).orElseThrow()) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> fetch().fetch(cifar10(), false))
                    .isInstanceOf(FetchException.class)
                    .hasMessageContainingAll("another fetch", folder.toString());
        }
        assertThat(fetch().fetch(cifar10(), false).fetched()).isTrue();
    }

    @Test
    void aSetWithoutAnAddressSaysWhatToPutWhere() {
        assertThatThrownBy(() -> fetch().fetch(DatasetCatalog.entry("corel1k"), false))
                .isInstanceOf(FetchException.class)
                .hasMessageContainingAll(
                        "corel1k",
                        "no public address",
                        dataDir.resolve("corel1k").toString());
    }

    @Test
    void aSetThatIsDrawnNeedsNoFetching() {
        assertThatThrownBy(() -> fetch().fetch(DatasetCatalog.entry("shapes"), false))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("drawn by this program");
    }

    @Test
    void aWrongFileInTheArchiveIsReported() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(bytes))) {
            tar.putArchiveEntry(new TarArchiveEntry("readme.txt"));
            tar.closeArchiveEntry();
        }
        archive = bytes.toByteArray();
        server.serve("/" + ARCHIVE, Served.of(archive));

        assertThatThrownBy(() -> fetch().fetch(cifar10(), false))
                .isInstanceOf(FetchException.class)
                .hasMessageContainingAll("fetched cifar10, but", "data_batch_1.bin");
    }
}
