package dev.velu.trainer.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;

/** Writes tiny data sets in every format the package reads. */
final class SampleFiles {

    static final byte[] TEXT = "not an image".getBytes(StandardCharsets.UTF_8);

    private SampleFiles() {}

    /** An image of one colour. */
    static BufferedImage plain(int width, int height, int rgb) {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, rgb);
            }
        }
        return image;
    }

    static byte[] encode(BufferedImage image, String format) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            if (!ImageIO.write(image, format, out)) {
                throw new IllegalArgumentException("no writer for " + format);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static byte[] png(int rgb) {
        return encode(plain(8, 8, rgb), "png");
    }

    static void write(Path root, Map<String, byte[]> files) throws IOException {
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Path path = root.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.write(path, file.getValue());
        }
    }

    static Path zip(Path path, Map<String, byte[]> files) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(path))) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                out.putNextEntry(new ZipEntry(file.getKey()));
                out.write(file.getValue());
                out.closeEntry();
            }
        }
        return path;
    }

    /** A zip archive whose entries are stored as they are. */
    static Path zipUncompressed(Path path, Map<String, byte[]> files) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(path))) {
            out.setMethod(ZipOutputStream.STORED);
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                CRC32 crc = new CRC32();
                crc.update(file.getValue());
                ZipEntry entry = new ZipEntry(file.getKey());
                entry.setSize(file.getValue().length);
                entry.setCrc(crc.getValue());
                out.putNextEntry(entry);
                out.write(file.getValue());
                out.closeEntry();
            }
        }
        return path;
    }

    static byte[] idx(int magic, int[] shape, byte[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 + 4 * shape.length + values.length);
        buffer.putInt(magic);
        for (int side : shape) {
            buffer.putInt(side);
        }
        return buffer.put(values).array();
    }

    static byte[] gzip(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Images of 2 x 3 (height x width) whose pixel {@code p} of image {@code i} is {@code 10 i + p}. */
    static byte[] idxImages(int count) {
        byte[] values = new byte[count * 6];
        for (int i = 0; i < values.length; i++) {
            values[i] = (byte) (10 * (i / 6) + i % 6);
        }
        return idx(0x803, new int[] {count, 2, 3}, values);
    }

    /** Labels 0, 1, 2, ... modulo 10. */
    static byte[] idxLabels(int count) {
        byte[] values = new byte[count];
        for (int i = 0; i < count; i++) {
            values[i] = (byte) (i % 10);
        }
        return idx(0x801, new int[] {count}, values);
    }

    /** The four files of a set in the format of MNIST. */
    static Map<String, byte[]> idxSet(int train, int eval) {
        return Map.of(
                "train-images-idx3-ubyte",
                idxImages(train),
                "train-labels-idx1-ubyte",
                idxLabels(train),
                "t10k-images-idx3-ubyte",
                idxImages(eval),
                "t10k-labels-idx1-ubyte",
                idxLabels(eval));
    }
}
