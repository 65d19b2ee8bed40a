package dev.velu.trainer.run;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** {@code metrics.jsonl}: one object per line and epoch, each line written whole or not at all. */
final class MetricsFile {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();

    private final Path path;

    MetricsFile(Path path) {
        this.path = path;
    }

    /** Keeps the first lines only: what a resumed run computes again is written again. Creates the file. */
    void keep(int epochs) throws IOException {
        List<String> lines = Files.exists(path)
                ? new String(Files.readAllBytes(path), StandardCharsets.UTF_8)
                        .lines()
                        .toList()
                : List.of();
        StringBuilder kept = new StringBuilder();
        lines.stream().limit(epochs).forEach(line -> kept.append(line).append('\n'));
        WholeFile.write(path, kept.toString());
    }

    void append(EpochMetrics metrics) throws IOException {
        ByteBuffer line = ByteBuffer.wrap((JSON.writeValueAsString(metrics) + "\n").getBytes(StandardCharsets.UTF_8));
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long end = file.size();
            file.position(end);
            try {
                while (line.hasRemaining()) {
                    file.write(line);
                }
                file.force(true);
            } catch (IOException e) {
                file.truncate(end);
                throw e;
            }
        }
    }
}
