package dev.velu.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Runs every example; the later ones go on with what {@link TrainNetwork} learned. */
@TestMethodOrder(OrderAnnotation.class)
class ExamplesTest {
    @TempDir
    static Path folder;

    private interface Example {
        void main(String[] args) throws Exception;
    }

    @Test
    void veluOnTensorsPrintsTheActivation() throws Exception {
        assertThat(output(VeluOnTensors::main)).startsWith("[-1.039").endsWith("]");
    }

    @Test
    void veluOnOwnMemoryChangesItInPlace() throws Exception {
        // A row of one value 1.5 and 63 zeros: s = 1 / sqrt(1.5^2 / 64), g = sigmoid(0.1 (atan 0.15 + asin 0.15)).
        assertThat(output(VeluOnOwnMemory::main)).startsWith("VeLU(1.5) = 0.837");
    }

    @Test
    @Order(1)
    void trainNetworkLearns() throws Exception {
        String said = output(TrainNetwork::main, run().toString());

        assertThat(Double.parseDouble(said.split(" ")[2])).isGreaterThan(0.15);
        assertThat(run().resolve("checkpoint-best.safetensors")).exists();
    }

    @Test
    @Order(2)
    void fineTuneStartsFromWeights() throws Exception {
        Path photos = Files.createDirectories(folder.resolve("photos"));
        drawPhotos(photos);

        String said = output(
                FineTune::main,
                run().resolve("checkpoint-best.safetensors").toString(),
                "folder:" + photos,
                folder.resolve("fine-tuned").toString());

        assertThat(said).startsWith("best top-1 ");
        assertThat(folder.resolve("fine-tuned/checkpoint-best.safetensors")).exists();
    }

    @Test
    @Order(3)
    void servePredictionsAnswersForEveryImage() throws Exception {
        List<String> arguments = new ArrayList<>(
                List.of(run().resolve("checkpoint-best.safetensors").toString()));
        for (int i = 0; i < 6; i++) {
            arguments.add(draw(folder.resolve("image" + i + ".png"), i).toString());
        }

        String said = output(ServePredictions::main, arguments.toArray(String[]::new));

        assertThat(said.lines()).hasSize(6).allMatch(line -> line.matches(".*image\\d\\.png: \\w+"));
    }

    private static Path run() {
        return folder.resolve("run");
    }

    /** What an example prints. */
    private static String output(Example example, String... args) throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            example.main(args);
        } finally {
            System.setOut(before);
        }
        return printed.toString(StandardCharsets.UTF_8).strip();
    }

    /** Two classes of 16 images for training and 8 for evaluation each. */
    private static void drawPhotos(Path photos) throws IOException {
        for (String split : List.of("train", "val")) {
            for (int kind = 0; kind < 2; kind++) {
                Path images = Files.createDirectories(photos.resolve(split).resolve(kind == 0 ? "dots" : "bars"));
                for (int i = 0; i < (split.equals("train") ? 16 : 8); i++) {
                    draw(images.resolve(i + ".png"), 2 * i + kind);
                }
            }
        }
    }

    private static Path draw(Path file, int number) throws IOException {
        BufferedImage image = new BufferedImage(40, 40, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(Color.getHSBColor(number / 7f, 1, 1));
        if (number % 2 == 0) {
            graphics.fillOval(8, 8, 20 + number % 5, 20);
        } else {
            graphics.fillRect(4, 16, 30, 4 + number % 5);
        }
        graphics.dispose();
        ImageIO.write(image, "png", file.toFile());
        return file;
    }
}
