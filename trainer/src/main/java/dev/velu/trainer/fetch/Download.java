package dev.velu.trainer.fetch;

import dev.velu.trainer.data.QuotedName;
import dev.velu.trainer.data.RemoteFile;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/**
 * Brings one file from the first of its addresses that has it.
 *
 * <p>What came stays in {@code NAME.part} when a connection breaks off or the program ends, and the next attempt asks
 * for the rest only: with {@code If-Range}, so that a server whose file has changed sends it from the beginning. The
 * file gets its name when its content was checked, never before.
 */
final class Download implements AutoCloseable {

    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);
    private static final long LONGEST_WISH_SECONDS = 60;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");

    /** A server that sends so much more than is published sends something else. */
    private static final long SLACK_BYTES = 1 << 20;

    /** Where neither catalogue nor server says how much there is. */
    private static final long MOST_BYTES = 64L << 30;

    /** This address will not have it, however often it is asked. */
    private static final class Refusal extends Exception {
        private static final long serialVersionUID = 1L;

        Refusal(String reason) {
            super(reason);
        }
    }

    /** The server asks to be left alone for a while. */
    private static final class Busy extends IOException {
        private static final long serialVersionUID = 1L;
        private final Duration wish;

        Busy(String reason, Duration wish) {
            super(reason);
            this.wish = wish;
        }
    }

    private final FetchOptions options;
    private final FetchListener listener;
    private final HttpClient client;

    Download(FetchOptions options, FetchListener listener) {
        this.options = options;
        this.listener = listener;
        client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(options.connectTimeout())
                .followRedirects(HttpClient.Redirect.NORMAL)
                .build();
    }

    /**
     * Brings {@code file}.
     *
     * @param addresses where to ask, in this order
     * @param target what to call it; replaced if it is there
     * @return empty when it is there, otherwise why not, for each address
     * @throws IOException if the disk cannot be read or written
     */
    List<String> get(RemoteFile file, List<URI> addresses, Path target) throws IOException, InterruptedException {
        List<String> reasons = new ArrayList<>();
        for (URI address : addresses) {
            try {
                if (!FetchOptions.isWeb(address)) {
                    throw new Refusal("not an http or https address");
                }
                fromAddress(file, address, target);
                return List.of();
            } catch (Refusal e) {
                reasons.add(address + ": " + e.getMessage());
                if (reasons.size() < addresses.size()) {
                    listener.message(file.name() + ": " + address + ": " + e.getMessage() + "; trying another address");
                }
            }
        }
        return reasons;
    }

    private void fromAddress(RemoteFile file, URI address, Path target)
            throws IOException, InterruptedException, Refusal {
        PartFile part = new PartFile(target);
        long furthest = part.size();
        boolean restarted = false;
        int idle = 0;
        while (true) {
            boolean joined = part.size() > 0;
            try {
                transfer(file, address, part);
                String difference = Content.difference(part.path(), file);
                if (difference == null) {
                    part.moveTo(target);
                    return;
                }
                part.discard();
                if (!joined || restarted) {
                    throw new Refusal(difference);
                }
                // The beginning was from an earlier time or another address: the whole from here may still be right.
                restarted = true;
                furthest = 0;
                listener.message(file.name() + ": " + difference + "; fetching it from the beginning");
            } catch (DiskException e) {
                throw e.cause;
            } catch (FileSystemException e) {
                throw e;
            } catch (IOException e) {
                boolean advanced = part.size() > furthest;
                furthest = Math.max(furthest, part.size());
                idle = advanced ? 1 : idle + 1;
                String reason = reason(e, address, options);
                if (idle >= options.attempts() || isHopeless(e)) {
                    throw new Refusal(reason);
                }
                Duration pause = pause(e, idle);
                listener.message(
                        file.name() + ": " + reason + " after " + part.size() + " bytes; again in " + seconds(pause));
                Thread.sleep(pause);
            }
        }
    }

    private Duration pause(IOException e, int idle) {
        Duration pause = options.pause().multipliedBy(1L << Math.min(idle - 1, 20));
        pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
        return e instanceof Busy busy && busy.wish.compareTo(pause) > 0 ? busy.wish : pause;
    }

    /** Asks once, for all or for the rest, and appends what comes. */
    private void transfer(RemoteFile file, URI address, PartFile part)
            throws IOException, InterruptedException, Refusal {
        long have = part.size();
        if (have > 0 && have == file.bytes()) {
            return;
        }
        HttpRequest.Builder request = HttpRequest.newBuilder(address).header("User-Agent", "velu");
        boolean rest = false;
        if (have > 0) {
            PartFile.Origin origin = part.origin();
            boolean same = origin != null && origin.address().equals(address.toString());
            if (same && !origin.version().isEmpty()) {
                request.header("If-Range", origin.version());
                rest = true;
            } else {
                // The published digest tells whether the parts belong together.
                rest = file.digest() != null;
            }
            if (rest) {
                request.header("Range", "bytes=" + have + "-");
            }
        }
        HttpResponse<Flow.Publisher<List<ByteBuffer>>> response = answer(request.build());
        try (Body body = new Body(options.readTimeout())) {
            response.body().subscribe(body);
            int status = response.statusCode();
            switch (status) {
                case 200 -> {
                    part.begin(PartFile.Origin.of(address.toString(), response.headers()));
                    long length = response.headers()
                            .firstValueAsLong("Content-Length")
                            .orElse(0);
                    append(file, body, part, 0, length);
                }
                case 206 -> {
                    long total = total(response, have);
                    if (!rest || total < 0) {
                        part.discard();
                        throw new IOException("the server sent another part than was asked for");
                    }
                    append(file, body, part, have, total);
                }
                case 416 -> {
                    part.discard();
                    throw new IOException("the server has no more than what came, so it is another file");
                }
                case 408, 425, 429, 500, 502, 503, 504 -> throw new Busy("HTTP " + status, wish(response));
                default -> throw new Refusal("HTTP " + status);
            }
        }
    }

    /** All bytes of the file by the header of an answer that begins at {@code have}; 0 unknown, -1 it begins elsewhere. */
    private static long total(HttpResponse<?> response, long have) {
        Matcher range = CONTENT_RANGE.matcher(
                response.headers().firstValue("Content-Range").orElse(""));
        if (!range.matches() || range.group(1).length() > 18 || Long.parseLong(range.group(1)) != have) {
            return -1;
        }
        String total = range.group(2);
        return total.equals("*") || total.length() > 18 ? 0 : Long.parseLong(total);
    }

    private static Duration wish(HttpResponse<?> response) {
        String seconds = response.headers().firstValue("Retry-After").orElse("0");
        return Duration.ofSeconds(
                seconds.matches("\\d{1,9}") ? Math.min(Long.parseLong(seconds), LONGEST_WISH_SECONDS) : 0);
    }

    private void append(RemoteFile file, Body body, PartFile part, long have, long total)
            throws IOException, InterruptedException, Refusal {
        long most = most(file, total);
        listener.begin(file.name(), have, total > 0 ? total : file.bytes());
        try (FileChannel out = open(part.path())) {
            long done = have;
            for (ByteBuffer bytes = body.next(); bytes != null; bytes = body.next()) {
                done += bytes.remaining();
                if (done > most) {
                    throw new Refusal("it sends more than the " + most + " bytes expected");
                }
                write(out, bytes);
                listener.progress(done);
            }
            if (total > 0 && done < total) {
                throw new IOException("the connection broke off");
            }
        } finally {
            listener.end();
        }
    }

    private static long most(RemoteFile file, long total) throws Refusal {
        long published = file.bytes();
        if (published > 0 && total > 0) {
            boolean differs = file.digest() == null ? total != published : total > 2 * published + SLACK_BYTES;
            if (differs) {
                throw new Refusal("it offers " + total + " bytes, published are " + published);
            }
        }
        return total > 0 ? total : published > 0 ? 2 * published + SLACK_BYTES : MOST_BYTES;
    }

    private HttpResponse<Flow.Publisher<List<ByteBuffer>>> answer(HttpRequest request)
            throws IOException, InterruptedException {
        // A timeout of the request would, on newer versions of Java, limit the time for the whole content, too.
        CompletableFuture<HttpResponse<Flow.Publisher<List<ByteBuffer>>>> answer =
                client.sendAsync(request, HttpResponse.BodyHandlers.ofPublisher());
        try {
            return answer.get(
                    options.connectTimeout().plus(options.readTimeout()).toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new HttpTimeoutException("no answer for " + seconds(options.readTimeout()));
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException failure ? failure : new IOException(e.getCause());
        } finally {
            answer.cancel(true);
        }
    }

    /** The disk is full or gone: no reason to ask elsewhere. */
    private static final class DiskException extends IOException {
        private static final long serialVersionUID = 1L;
        private final IOException cause;

        DiskException(IOException cause) {
            super(cause);
            this.cause = cause;
        }
    }

    private static FileChannel open(Path path) throws DiskException {
        try {
            return FileChannel.open(
                    path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new DiskException(e);
        }
    }

    private static void write(FileChannel out, ByteBuffer bytes) throws DiskException {
        try {
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
        } catch (IOException e) {
            throw new DiskException(e);
        }
    }

    /** Without a network or a server, waiting does not help. */
    private static boolean isHopeless(IOException e) {
        return e instanceof ConnectException || e instanceof HttpConnectTimeoutException || e instanceof SSLException;
    }

    private static boolean hasCause(Throwable e, Class<? extends Throwable> type, int depth) {
        return e != null && depth > 0 && (type.isInstance(e.getCause()) || hasCause(e.getCause(), type, depth - 1));
    }

    private static String reason(IOException e, URI address, FetchOptions options) {
        if (e instanceof HttpConnectTimeoutException) {
            return "no connection within " + seconds(options.connectTimeout());
        }
        if (hasCause(e, UnresolvedAddressException.class, 5)) {
            return "the host " + QuotedName.of(address.getHost()) + " is unknown; is there a network?";
        }
        if (e instanceof ConnectException) {
            return "no connection" + (e.getMessage() == null ? "" : " (" + e.getMessage() + ")");
        }
        if (e instanceof SSLException) {
            return "no secure connection (" + e.getMessage() + ")";
        }
        return QuotedName.printable(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
    }

    /** Like {@code 2 s} or {@code 0.2 s}. */
    static String seconds(Duration duration) {
        return duration.toMillis() % 1000 == 0
                ? duration.toSeconds() + " s"
                : String.format(Locale.ROOT, "%.1f s", duration.toMillis() / 1000.0);
    }

    @Override
    public void close() {
        client.shutdownNow();
        client.close();
    }
}
