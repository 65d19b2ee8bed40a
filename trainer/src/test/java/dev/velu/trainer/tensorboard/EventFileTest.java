package dev.velu.trainer.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFileTest {
    private static final Clock CLOCK = Clock.fixed(Instant.ofEpochSecond(1_700_000_000L, 500_000_000), ZoneOffset.UTC);

    @TempDir
    Path folder;

    @FunctionalInterface
    private interface Writing {
        void to(EventFile events) throws IOException;
    }

    private Path write(Writing writing) throws IOException {
        try (EventFile events = EventFile.create(folder, CLOCK)) {
            writing.to(events);
            return events.path();
        }
    }

    private List<String> read(Writing writing) throws Exception {
        return TensorFlowReader.events(write(writing));
    }

    @Test
    void tensorFlowReadsTheVersionFirst() throws Exception {
        assertThat(read(events -> {})).containsExactly("wall_time: 1.7000000005E9\nfile_version: \"brain.Event:2\"\n");
    }

    @Test
    void tensorFlowReadsScalars() throws Exception {
        assertThat(read(events -> events.scalar("train/loss", 31, 1.25))).last().isEqualTo("""
                        wall_time: 1.7000000005E9
                        step: 31
                        summary {
                          value {
                            tag: "train/loss"
                            simple_value: 1.25
                          }
                        }
                        """);
    }

    @Test
    void aScalarThatIsNotFiniteIsKeptAsItIs() throws Exception {
        assertThat(read(events -> events.scalar("loss", 1, Double.NaN)))
                .last()
                .asString()
                .contains("simple_value: NaN");
    }

    @Test
    void tensorFlowReadsHistograms() throws Exception {
        String event = read(events -> events.histogram("activations/lambda", 2, new double[] {1, 2, 4, Double.NaN}))
                .getLast();
        assertThat(event)
                .contains("min: 1.0", "max: 4.0", "num: 3.0", "sum: 7.0", "sum_squares: 21.0", "bucket_limit: 4.0");
        assertThat(event.lines().filter(line -> line.contains("bucket: 1.0"))).hasSize(3);
    }

    @Test
    void aHistogramOfNothingIsLeftOut() throws Exception {
        assertThat(read(events -> events.histogram("h", 2, new double[] {Double.NaN})))
                .hasSize(1);
    }

    @Test
    void aHistogramOfOneValueHasOneBucket() throws Exception {
        assertThat(read(events -> events.histogram("h", 2, new double[] {3, 3}))
                        .getLast()
                        .lines())
                .filteredOn(line -> line.contains("bucket"))
                .extracting(String::strip)
                .containsExactly("bucket_limit: 3.0", "bucket: 2.0");
    }

    @Test
    void tensorFlowReadsImagesWithTheirSize() throws Exception {
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(new BufferedImage(7, 5, BufferedImage.TYPE_INT_RGB), "png", png);
        assertThat(read(events -> events.image("misclassified/1", 3, png.toByteArray())))
                .last()
                .asString()
                .contains("height: 5", "width: 7", "colorspace: 3", "encoded_image_string: \"\\211PNG");
    }

    @Test
    void tensorFlowReadsTexts() throws Exception {
        assertThat(read(events -> events.text("configuration", 0, "# é")))
                .last()
                .asString()
                .contains("dtype: DT_STRING", "string_val: \"# \\303\\251\"", "plugin_name: \"text\"");
    }

    @Test
    void aRunThatGoesOnSaysWhereSoThatLaterPointsAreForgotten() throws Exception {
        assertThat(read(events -> events.resumeAt(40)))
                .last()
                .asString()
                .contains("step: 40")
                .contains("session_log {\n  status: START");
    }

    @Test
    void aByteThatChangedIsNoticed() throws Exception {
        Path file = write(events -> events.scalar("a", 1, 1));
        byte[] all = Files.readAllBytes(file);
        all[all.length - 6] ^= 1;
        Files.write(file, all);
        assertThatThrownBy(() -> TensorFlowReader.events(file)).isInstanceOf(IOException.class);
    }

    @Test
    void aFileComesAfterThoseOfTheSameSecondInTheOrderOfNames() throws Exception {
        String first = write(events -> {}).getFileName().toString();
        String second = write(events -> {}).getFileName().toString();
        assertThat(second).isGreaterThan(first).startsWith("events.out.tfevents.1700000001.");
    }

    @Test
    void whatIsFlushedCanBeReadWhileTheFileIsOpen() throws Exception {
        try (EventFile events = EventFile.create(folder, CLOCK)) {
            events.scalar("a", 1, 1);
            events.flush();
            assertThat(TensorFlowReader.events(events.path())).hasSize(2);
        }
    }
}
