package dev.velu.trainer.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * A file of unsigned bytes in the IDX format of MNIST: big-endian magic {@code 0x0000_08_<dimensions>}, the dimensions,
 * the values. Plain or compressed by gzip, told apart by content.
 *
 * @param shape the dimensions
 * @param values their product many bytes, the last dimension contiguous
 */
record IdxFile(int[] shape, byte[] values) {

    private static final int UNSIGNED_BYTE_MAGIC = 0x0800;
    private static final long MAX_VALUES = Integer.MAX_VALUE - 8;

    /**
     * Reads a whole file.
     *
     * @throws DataException if it is unreadable, truncated, too long, empty, or of another type or rank
     */
    static IdxFile read(Path file, int rank) {
        try (InputStream in = open(file)) {
            return read(in, file, rank);
        } catch (EOFException e) {
            throw new DataException(
                    QuotedName.of(file) + " is truncated: its gzip data ends too early; download it again", e);
        } catch (ZipException e) {
            throw new DataException(
                    QuotedName.of(file) + " is damaged: its gzip data is invalid (" + e.getMessage()
                            + "); download it again",
                    e);
        } catch (IOException e) {
            throw new DataException("cannot read " + QuotedName.of(file) + ": " + FolderStore.reason(e), e);
        }
    }

    private static InputStream open(Path file) throws IOException {
        InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        try {
            in.mark(2);
            boolean gzip = in.read() == 0x1F && in.read() == 0x8B;
            in.reset();
            return gzip ? new GZIPInputStream(in, 1 << 16) : in;
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    private static IdxFile read(InputStream in, Path file, int rank) throws IOException {
        byte[] header = in.readNBytes(4 + 4 * rank);
        int expectedMagic = UNSIGNED_BYTE_MAGIC | rank;
        int magic = header.length < 4 ? 0 : ByteBuffer.wrap(header).getInt();
        if (header.length >= 4 && magic != expectedMagic) {
            throw new DataException(String.format(
                    "%s has magic 0x%08X, expected 0x%08X for IDX %s; it is another file or not an IDX file",
                    QuotedName.of(file), magic, expectedMagic, rank == 1 ? "labels" : "images"));
        }
        if (header.length < 4 + 4 * rank) {
            throw new DataException(QuotedName.of(file) + " is truncated: it has " + header.length
                    + " bytes, its IDX header alone has " + (4 + 4 * rank) + "; download it again");
        }
        int[] shape = new int[rank];
        ByteBuffer.wrap(header, 4, 4 * rank).asIntBuffer().get(shape);
        long length = 1;
        for (int i = 0; i < rank; i++) {
            if (shape[i] <= 0) {
                String what = i > 0 ? "image side" : rank == 1 ? "number of labels" : "number of images";
                throw new DataException(QuotedName.of(file) + " declares a " + what + " of " + (shape[i] & 0xFFFFFFFFL)
                        + ", expected 1 to " + Integer.MAX_VALUE + "; use a file that holds data");
            }
            length = length > MAX_VALUES ? length : length * shape[i];
        }
        if (length > MAX_VALUES) {
            throw new DataException(QuotedName.of(file) + " declares more than " + MAX_VALUES
                    + " bytes, the limit of an IDX file here; use class folders for a set this large");
        }
        // Grows with what is really there, so a false header cannot ask for memory the file does not fill.
        byte[] values = in.readNBytes((int) length);
        if (values.length < length) {
            throw new DataException(QuotedName.of(file) + " is truncated: its header declares " + length
                    + " bytes of data, it has " + values.length + "; download it again");
        }
        if (in.read() >= 0) {
            throw new DataException(QuotedName.of(file) + " has bytes after the " + length
                    + " that its header declares; download it again");
        }
        return new IdxFile(shape, values);
    }
}
