package dev.velu.trainer.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.velu.trainer.data.RemoteFile;
import dev.velu.trainer.data.RemoteFile.Digest;
import dev.velu.trainer.fetch.TestServer.Served;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DownloadTest {

    private static final FetchOptions OPTIONS =
            new FetchOptions(Duration.ofSeconds(10), Duration.ofSeconds(10), 3, Duration.ofMillis(5), null);

    @TempDir
    private Path folder;

    private final RecordedMessages listener = new RecordedMessages();
    private final byte[] content = new byte[300_000];
    private TestServer server;

    @BeforeEach
    void startServer() throws IOException {
        new Random(7).nextBytes(content);
        server = new TestServer();
    }

    @AfterEach
    void stopServer() {
        server.close();
    }

    private List<String> get(Digest digest, long bytes, URI... addresses) throws Exception {
        return get(OPTIONS, digest, bytes, addresses);
    }

    private List<String> get(FetchOptions options, Digest digest, long bytes, URI... addresses) throws Exception {
        RemoteFile file = new RemoteFile("set.bin", List.of(addresses), bytes, digest, null);
        try (Download download = new Download(options, listener)) {
            return download.get(file, file.addresses(), target());
        }
    }

    private Path target() {
        return folder.resolve("set.bin");
    }

    private Digest digest() throws Exception {
        return new Digest(
                "SHA-256",
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content)));
    }

    private void assertComplete() throws IOException {
        assertThat(Files.readAllBytes(target())).isEqualTo(content);
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(target());
        }
    }

    /** Leaves the beginning of {@code bytes} as an interrupted fetch from {@code path} does. */
    private void leavePart(byte[] bytes, int count, String path, String etag) throws IOException {
        PartFile part = new PartFile(target());
        part.begin(new PartFile.Origin(server.address(path).toString(), etag));
        Files.write(part.path(), Arrays.copyOf(bytes, count));
    }

    @Test
    void bringsAFile() throws Exception {
        server.serve("/a", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(listener.lines).isEmpty();
    }

    @Test
    void asksForTheRestEachTimeTheConnectionDrops() throws Exception {
        server.serve("/a", Served.of(content).droppingAfter(70_000));
        assertThat(get(digest(), content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(server.requests).hasSizeBetween(5, 9).first().isEqualTo("/a");
        assertThat(server.requests.subList(1, server.requests.size())).allMatch(r -> r.startsWith("/a bytes="));
        assertThat(listener.lines.getFirst()).contains("set.bin", "broke off", "again in");
    }

    @Test
    void continuesWhatAnEarlierFetchLeft() throws Exception {
        leavePart(content, 100_000, "/a", "\"1\"");
        server.serve("/a", Served.of(content));
        assertThat(get(null, content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(server.requests).containsExactly("/a bytes=100000-");
        assertThat(listener.begins).containsExactly(100_000L);
    }

    @Test
    void beginsAnewWhenTheServerKnowsNoParts() throws Exception {
        leavePart(content, 100_000, "/a", "\"1\"");
        server.serve("/a", Served.of(content).withoutRanges());
        assertThat(get(digest(), content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(listener.begins).containsExactly(0L);
    }

    @Test
    void givesUpAServerThatDropsAndKnowsNoParts() throws Exception {
        server.serve("/a", Served.of(content).withoutRanges().droppingAfter(70_000));
        assertThat(get(digest(), content.length, server.address("/a")))
                .singleElement()
                .asString()
                .contains("/a", "broke off");
        assertThat(server.requests.size()).isLessThanOrEqualTo(6);
        assertThat(target()).doesNotExist();
    }

    @Test
    void beginsAnewWhenTheFileHasChanged() throws Exception {
        leavePart(new byte[300_000], 100_000, "/a", "\"old\"");
        server.serve("/a", Served.of(content).version("\"new\""));
        assertThat(get(null, content.length, server.address("/a"))).isEmpty();
        assertComplete();
    }

    @Test
    void doesNotJoinPartsOfUnknownVersionsThatNoDigestChecks() throws Exception {
        leavePart(new byte[300_000], 100_000, "/a", "");
        server.serve("/a", Served.of(content).version(null));
        assertThat(get(null, content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(server.requests).containsExactly("/a");
    }

    @Test
    void beginsAnewWhenTheJoinedPartsAreNotTheFile() throws Exception {
        leavePart(new byte[300_000], 100_000, "/b", "\"1\"");
        server.serve("/a", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(server.requests).containsExactly("/a bytes=100000-", "/a");
    }

    @Test
    void beginsAnewWhenMoreIsThereThanTheServerHas() throws Exception {
        leavePart(new byte[400_000], 400_000, "/a", "\"1\"");
        server.serve("/a", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"))).isEmpty();
        assertComplete();
    }

    @Test
    void beginsAnewWhenAnotherPartCameThanWasAskedFor() throws Exception {
        leavePart(content, 100_000, "/a", "\"1\"");
        server.serve("/a", Served.of(content).shiftedBy(5));
        assertThat(get(null, content.length, server.address("/a"))).isEmpty();
        assertComplete();
        assertThat(server.requests).containsExactly("/a bytes=100000-", "/a");
    }

    @Test
    void continuesAtAnotherAddress() throws Exception {
        server.serve("/a", Served.of(content).droppingAfter(100_000).withoutRanges());
        server.serve("/b", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"), server.address("/b")))
                .isEmpty();
        assertComplete();
        assertThat(server.requests.getLast()).startsWith("/b bytes=");
    }

    @Test
    void takesTheNextAddressAfterAWrongDigest() throws Exception {
        server.serve("/a", Served.of(new byte[300_000]));
        server.serve("/b", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"), server.address("/b")))
                .isEmpty();
        assertComplete();
        assertThat(listener.lines)
                .singleElement()
                .asString()
                .contains("/a", "its SHA-256 is", "published is " + digest().hex(), "another address");
    }

    @Test
    void takesTheNextAddressAfterNotFound() throws Exception {
        server.serve("/b", Served.of(content));
        assertThat(get(digest(), content.length, server.address("/a"), server.address("/b")))
                .isEmpty();
        assertComplete();
        assertThat(server.requests).containsExactly("/a", "/b");
    }

    @Test
    void asksABusyServerAgain() throws Exception {
        server.serve("/a", Served.status(503));
        assertThat(get(digest(), content.length, server.address("/a")))
                .singleElement()
                .asString()
                .contains("HTTP 503");
        assertThat(server.requests).hasSize(OPTIONS.attempts());
    }

    @Test
    void givesUpAServerThatFallsSilent() throws Exception {
        server.serve("/a", Served.of(content).fallingSilent());
        FetchOptions impatient =
                new FetchOptions(Duration.ofSeconds(10), Duration.ofMillis(200), 2, Duration.ofMillis(5), null);
        assertThat(get(impatient, digest(), content.length, server.address("/a")))
                .singleElement()
                .asString()
                .containsAnyOf("nothing came for 0.2 s", "no answer for 0.2 s");
    }

    @Test
    void refusesAnotherSizeWhereNoDigestIsPublished() throws Exception {
        server.serve("/a", Served.of(content));
        assertThat(get(null, 1234, server.address("/a")))
                .singleElement()
                .asString()
                .contains("offers 300000 bytes", "published are 1234");
        assertThat(target()).doesNotExist();
    }

    @Test
    void namesEveryAddressThatFailed() throws Exception {
        int closed;
        try (ServerSocket socket = new ServerSocket(0)) {
            closed = socket.getLocalPort();
        }
        List<String> reasons = get(
                digest(),
                content.length,
                server.address("/gone"),
                URI.create("http://127.0.0.1:" + closed + "/x"),
                URI.create("file:///etc/passwd"));
        assertThat(reasons).hasSize(3);
        assertThat(reasons.get(0)).contains("/gone: HTTP 404");
        assertThat(reasons.get(1)).contains(":" + closed + "/x: no connection");
        assertThat(reasons.get(2)).contains("not an http or https address");
    }

    @Test
    void anUnknownHostIsNamed() throws Exception {
        assertThat(get(digest(), content.length, URI.create("http://no-such-host.invalid/x")))
                .singleElement()
                .asString()
                .contains("'no-such-host.invalid' is unknown");
    }
}
