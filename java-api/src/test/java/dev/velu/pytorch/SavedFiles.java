package dev.velu.pytorch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Files in the forms of torch.save around a pickle and blocks of data. */
final class SavedFiles {
    private SavedFiles() {}

    static byte[] floats(float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return bytes.array();
    }

    /** The entries of the zip form, under the folder {@code archive}. */
    static Map<String, byte[]> entries(byte[] pickle, Map<String, byte[]> blocks) {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("archive/data.pkl", pickle);
        entries.put("archive/byteorder", "little".getBytes(StandardCharsets.UTF_8));
        blocks.forEach((key, data) -> entries.put("archive/data/" + key, data));
        return entries;
    }

    static Path zip(Path path, int method, Map<String, byte[]> entries) throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(path))) {
            for (Map.Entry<String, byte[]> content : entries.entrySet()) {
                ZipEntry entry = new ZipEntry(content.getKey());
                entry.setMethod(method);
                entry.setSize(content.getValue().length);
                CRC32 crc = new CRC32();
                crc.update(content.getValue());
                entry.setCrc(crc.getValue());
                zip.putNextEntry(entry);
                zip.write(content.getValue());
                zip.closeEntry();
            }
        }
        return path;
    }

    static Path zip(Path path, byte[] pickle, Map<String, byte[]> blocks) throws IOException {
        return zip(path, ZipEntry.STORED, entries(pickle, blocks));
    }

    /** The form before PyTorch 1.6; every block is of float32. */
    static Path legacy(Path path, byte[] pickle, Map<String, byte[]> blocks) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(Pickle.begin()
                .op(0x8a)
                .op(10)
                .raw(new byte[] {0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9, 0x20, 0x6a, (byte) 0xa8, 0x50, 0x19
                })
                .end());
        out.writeBytes(Pickle.begin().number(1001).end());
        out.writeBytes(
                Pickle.begin().op('}').text("little_endian").op(0x88).op('s').end());
        out.writeBytes(pickle);
        Pickle keys = Pickle.begin().op(']').mark();
        blocks.keySet().forEach(keys::text);
        out.writeBytes(keys.op('e').end());
        blocks.values().forEach(data -> {
            out.writeBytes(ByteBuffer.allocate(Long.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(data.length / Float.BYTES)
                    .array());
            out.writeBytes(data);
        });
        return Files.write(path, out.toByteArray());
    }

    /** A file of real PyTorch. */
    static Path resource(Path folder, String name) {
        try (var in = SavedFiles.class.getResourceAsStream(name)) {
            return Files.write(folder.resolve(name), in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<String> names(Path path) throws PyTorchException {
        try (PyTorchFile file = PyTorchFile.open(path)) {
            return file.names();
        }
    }
}
