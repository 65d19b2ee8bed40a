package dev.velu.trainer.tensorboard;

import dev.velu.protobuf.Message;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A new event file in a folder, {@code events.out.tfevents.SECONDS.velu.PID}: TensorBoard reads all such files of a folder as one
 * run, in the order of their names.
 *
 * <p>Tags are paths: what stands before the first slash is the group in which TensorBoard shows a curve. Numbers of steps count
 * from 0 or 1, as the caller likes. Values that are not finite are written as they are. Nothing reaches the disk for sure
 * before {@link #flush}. Used by one thread at a time.
 */
public final class EventFile implements AutoCloseable {
    /** What the names of event files begin with. */
    public static final String PREFIX = "events.out.tfevents.";

    private static final Pattern NAME = Pattern.compile("events\\.out\\.tfevents\\.(\\d{1,18})\\..*");
    /** Of the messages of {@code event.proto}. */
    private static final String VERSION = "brain.Event:2";

    private static final int SESSION_START = 1;
    private static final int RGB = 3;
    private static final int PNG_WIDTH = 16;
    private static final int DT_STRING = 7;
    private static final int DATA_CLASS_TENSOR = 2;

    private final Path path;
    private final RecordFile records;
    private final Clock clock;

    private EventFile(Path path, Clock clock) throws IOException {
        this.path = path;
        this.clock = clock;
        records = new RecordFile(path);
        write(event().string(3, VERSION));
    }

    /**
     * Creates a file that comes after all that are in the folder.
     *
     * @throws IOException if it cannot be created; names it
     */
    public static EventFile create(Path folder) throws IOException {
        return create(folder, Clock.systemUTC());
    }

    static EventFile create(Path folder, Clock clock) throws IOException {
        long seconds = clock.instant().getEpochSecond();
        try (DirectoryStream<Path> present = Files.newDirectoryStream(folder, PREFIX + "*")) {
            for (Path file : present) {
                Matcher name = NAME.matcher(file.getFileName().toString());
                if (name.matches()) {
                    seconds = Math.max(seconds, Long.parseLong(name.group(1)) + 1);
                }
            }
        }
        String name = PREFIX + seconds + ".velu." + ProcessHandle.current().pid();
        return new EventFile(folder.resolve(name), clock);
    }

    /** Where the file lies. */
    public Path path() {
        return path;
    }

    /** A run goes on: what earlier files say of this step and of later ones does not count any more. */
    public void resumeAt(long step) throws IOException {
        write(event().integer(2, step).message(7, new Message().integer(1, SESSION_START)));
    }

    /** A point of a curve. */
    public void scalar(String tag, long step, double value) throws IOException {
        write(step, value(tag).single(2, (float) value));
    }

    /** How values are distributed; nothing is written if none of them is finite. */
    public void histogram(String tag, long step, double[] values) throws IOException {
        Histogram histogram = Histogram.of(values);
        if (histogram != null) {
            write(step, value(tag).message(5, histogram.toMessage()));
        }
    }

    /**
     * An image.
     *
     * @param png RGB
     */
    public void image(String tag, long step, byte[] png) throws IOException {
        // The header comes first and always has the size at the same place.
        ByteBuffer header = ByteBuffer.wrap(png);
        int width = header.getInt(PNG_WIDTH);
        int height = header.getInt(PNG_WIDTH + Integer.BYTES);
        write(
                step,
                value(tag)
                        .message(
                                4,
                                new Message()
                                        .integer(1, height)
                                        .integer(2, width)
                                        .integer(3, RGB)
                                        .bytes(4, png)));
    }

    /** A text in Markdown. */
    public void text(String tag, long step, String markdown) throws IOException {
        Message oneElement = new Message().message(2, new Message().integer(1, 1));
        Message tensor = new Message()
                .integer(1, DT_STRING)
                .message(2, oneElement)
                .bytes(8, markdown.getBytes(StandardCharsets.UTF_8));
        Message metadata =
                new Message().message(1, new Message().string(1, "text")).integer(4, DATA_CLASS_TENSOR);
        write(step, value(tag).message(8, tensor).message(9, metadata));
    }

    /** Hands everything to the system. */
    public void flush() throws IOException {
        records.flush();
    }

    private static Message value(String tag) {
        return new Message().string(1, tag);
    }

    private Message event() {
        Instant now = clock.instant();
        return new Message().real(1, now.getEpochSecond() + now.getNano() * 1e-9);
    }

    private void write(long step, Message value) throws IOException {
        write(event().integer(2, step).message(5, new Message().message(1, value)));
    }

    private void write(Message event) throws IOException {
        records.write(event.toByteArray());
    }

    @Override
    public void close() throws IOException {
        records.close();
    }
}
