package dev.velu.bench;

import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * What activations are applied to: x and an upstream gradient, N(0, 1), the same for the same shape.
 *
 * @param x {@code [rows][channels]}
 * @param dy as x
 */
record Inputs(int rows, int channels, float[] x, float[] dy) {
    /** @param shape as in {@code 6272x512} */
    static Inputs of(String shape) {
        String[] sizes = shape.split("x");
        int rows = Integer.parseInt(sizes[0]);
        int channels = Integer.parseInt(sizes[1]);
        Random random = new Random(1);
        return new Inputs(rows, channels, normal(random, rows * channels), normal(random, rows * channels));
    }

    private static float[] normal(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** A safetensors file of x and dy that is removed when the JVM ends. */
    Path file() {
        try {
            Path file = Files.createTempFile("velu-bench", ".safetensors");
            file.toFile().deleteOnExit();
            Shape shape = Shape.of(rows, channels);
            SafeTensorsWriter.write(
                    file,
                    Map.of(),
                    List.of(
                            SafeTensorsWriter.Entry.of("x", DType.F32, shape, MemorySegment.ofArray(x)),
                            SafeTensorsWriter.Entry.of("dy", DType.F32, shape, MemorySegment.ofArray(dy))));
            return file;
        } catch (SafeTensorsException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw new IllegalStateException("no temporary file: " + e.getMessage(), e);
        }
    }
}
