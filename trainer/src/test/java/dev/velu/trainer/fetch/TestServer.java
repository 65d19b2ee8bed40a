package dev.velu.trainer.fetch;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A server on this machine that serves files as badly as one wishes. */
final class TestServer implements AutoCloseable {

    /**
     * A file and its faults.
     *
     * @param bytes the content
     * @param etag null for none
     * @param ranges whether parts can be asked for
     * @param dropAfter the connection is closed after so many bytes of an answer; 0 for never
     * @param status what is answered instead of the file; 200 for the file
     * @param silent whether nothing follows the header
     * @param shift how far behind what was asked for a part begins
     */
    record Served(byte[] bytes, String etag, boolean ranges, int dropAfter, int status, boolean silent, int shift) {

        static Served of(byte[] bytes) {
            return new Served(bytes, "\"1\"", true, 0, 200, false, 0);
        }

        static Served status(int status) {
            return new Served(new byte[0], null, false, 0, status, false, 0);
        }

        Served version(String tag) {
            return new Served(bytes, tag, ranges, dropAfter, status, silent, shift);
        }

        Served withoutRanges() {
            return new Served(bytes, etag, false, dropAfter, status, silent, shift);
        }

        Served droppingAfter(int count) {
            return new Served(bytes, etag, ranges, count, status, silent, shift);
        }

        Served shiftedBy(int bytes) {
            return new Served(bytes(), etag, ranges, dropAfter, status, silent, bytes);
        }

        Served fallingSilent() {
            return new Served(bytes, etag, ranges, dropAfter, status, true, shift);
        }
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Map<String, Served> files = new ConcurrentHashMap<>();

    /** Path and range of every request, in order. */
    final List<String> requests = Collections.synchronizedList(new ArrayList<>());

    TestServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    TestServer serve(String path, Served file) {
        files.put(path, file);
        return this;
    }

    URI address(String path) {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String range = exchange.getRequestHeaders().getFirst("Range");
            String condition = exchange.getRequestHeaders().getFirst("If-Range");
            requests.add(exchange.getRequestURI().getPath() + (range == null ? "" : " " + range));
            Served file = files.getOrDefault(exchange.getRequestURI().getPath(), Served.status(404));
            if (file.status() != 200) {
                exchange.sendResponseHeaders(file.status(), -1);
                return;
            }
            if (file.etag() != null) {
                exchange.getResponseHeaders().set("ETag", file.etag());
            }
            int from = 0;
            int length = file.bytes().length;
            boolean partly = file.ranges() && range != null && (condition == null || condition.equals(file.etag()));
            if (partly) {
                from = Integer.parseInt(range.replaceAll("\\D+", ""));
                if (from >= length) {
                    exchange.getResponseHeaders().set("Content-Range", "bytes */" + length);
                    exchange.sendResponseHeaders(416, -1);
                    return;
                }
                from += file.shift();
                exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + (length - 1) + "/" + length);
            }
            exchange.sendResponseHeaders(partly ? 206 : 200, length - from);
            if (file.silent()) {
                exchange.getResponseBody().flush();
                sleep();
                return;
            }
            int count = file.dropAfter() > 0 ? Math.min(file.dropAfter(), length - from) : length - from;
            exchange.getResponseBody().write(file.bytes(), from, count);
            // Less than announced: closing the exchange now closes the connection.
            exchange.getResponseBody().flush();
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(60_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
