package dev.velu.trainer.peer;

import dev.velu.device.Context;
import dev.velu.models.NetworkSpec;
import dev.velu.models.OnnxExport;
import dev.velu.nn.ParameterFiles;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What peers are given of ours, in a folder that goes with this: weights and batches as safetensors, networks as ONNX. */
public final class PeerFiles implements AutoCloseable {
    private static final String IMAGES = "images";

    private final Path folder;

    /** Makes the folder among the system's temporary ones. */
    public PeerFiles() {
        try {
            folder = Files.createTempDirectory("velu-peers");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Writes all parameters in torchvision's names and order of axes, and the batch as {@value #IMAGES} {@code [N, 3, S, S]},
     * normalized.
     *
     * @param parameters with memory on the context; none are written if it is null
     */
    public Path tensors(Parameters parameters, Context context, RandomBatch batch, NormalizeImage normalization) {
        List<SafeTensorsWriter.Entry> entries = new ArrayList<>();
        if (parameters != null) {
            entries.addAll(ParameterFiles.entries(parameters, context));
        }
        entries.add(new SafeTensorsWriter.Entry(
                IMAGES,
                ElementType.of(DType.F32),
                Shape.of(batch.size(), 3, batch.edge(), batch.edge()),
                channel -> writeImages(batch, normalization, channel)));
        Path file = folder.resolve("batch.safetensors");
        try {
            SafeTensorsWriter.write(file, Map.of(), entries);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    private static void writeImages(RandomBatch batch, NormalizeImage normalization, WritableByteChannel channel)
            throws IOException {
        for (int image = 0; image < batch.size(); image++) {
            float[] values = batch.normalized(image, normalization);
            ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(values);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    /** Writes tensors under their names; the file replaces the one before. */
    public Path tensors(Map<String, Tensor> tensors) {
        List<SafeTensorsWriter.Entry> entries = tensors.entrySet().stream()
                .map(named -> SafeTensorsWriter.Entry.of(
                        named.getKey(),
                        named.getValue().dtype(),
                        named.getValue().shape(),
                        named.getValue().segment()))
                .toList();
        Path file = folder.resolve("tensors.safetensors");
        try {
            SafeTensorsWriter.write(file, Map.of(), entries);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    /** Writes the network for inference; see {@link OnnxExport}. */
    public Path onnx(NetworkSpec spec, Parameters parameters, NormalizeImage normalization, Context context) {
        Path file = folder.resolve("network.onnx");
        try (OutputStream out = Files.newOutputStream(file)) {
            OnnxExport.write(spec, parameters, normalization, context, Map.of(), out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    /** Removes the folder. */
    @Override
    public void close() {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
