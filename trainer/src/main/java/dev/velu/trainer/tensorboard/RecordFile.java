package dev.velu.trainer.tensorboard;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * A new TFRecord file: every record is its length (uint64), the masked CRC-32C of these 8 bytes, the bytes, and their masked
 * CRC-32C, all little-endian. A reader stops before a record that is not whole, so a file that is cut off loses its end only.
 */
final class RecordFile implements AutoCloseable {
    private static final int MASK_DELTA = 0xa282ead8;

    private final OutputStream out;

    /** @throws java.nio.file.FileAlreadyExistsException if there is a file of this name */
    RecordFile(Path path) throws IOException {
        out = new BufferedOutputStream(Files.newOutputStream(path, StandardOpenOption.CREATE_NEW));
    }

    void write(byte[] record) throws IOException {
        byte[] length = littleEndian(Long.BYTES).putLong(record.length).array();
        out.write(length);
        out.write(littleEndian(Integer.BYTES).putInt(maskedCrc(length)).array());
        out.write(record);
        out.write(littleEndian(Integer.BYTES).putInt(maskedCrc(record)).array());
    }

    void flush() throws IOException {
        out.flush();
    }

    private static ByteBuffer littleEndian(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Masked, because a CRC over data that contains a CRC of its own is a weak one. */
    private static int maskedCrc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
