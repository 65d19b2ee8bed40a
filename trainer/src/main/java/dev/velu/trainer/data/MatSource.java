package dev.velu.trainer.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import us.hebi.matlab.mat.types.Source;

/**
 * A MATLAB file for the library that reads them. Its own sources go through {@code sun.misc.Unsafe}, against which newer
 * versions of Java warn, and which later ones refuse.
 */
final class MatSource implements Source {

    private static final int BUFFER_BYTES = 1 << 16;

    private final InputStream in;
    private final byte[] word = new byte[Long.BYTES];
    private byte[] chunk = new byte[0];
    private ByteOrder order = ByteOrder.nativeOrder();
    private long position;

    private MatSource(InputStream in) {
        this.in = in;
    }

    static MatSource open(Path file) throws IOException {
        return new MatSource(new BufferedInputStream(Files.newInputStream(file), BUFFER_BYTES));
    }

    @Override
    public Source order(ByteOrder byteOrder) {
        order = byteOrder;
        return this;
    }

    @Override
    public ByteOrder order() {
        return order;
    }

    @Override
    public long getPosition() {
        return position;
    }

    @Override
    public void readBytes(byte[] buffer, int offset, int length) throws IOException {
        if (in.readNBytes(buffer, offset, length) < length) {
            throw new EOFException("it ends too early");
        }
        position += length;
    }

    private ByteBuffer next(int bytes) throws IOException {
        readBytes(word, 0, bytes);
        return ByteBuffer.wrap(word, 0, bytes).order(order);
    }

    @Override
    public byte readByte() throws IOException {
        return next(Byte.BYTES).get();
    }

    @Override
    public short readShort() throws IOException {
        return next(Short.BYTES).getShort();
    }

    @Override
    public int readInt() throws IOException {
        return next(Integer.BYTES).getInt();
    }

    @Override
    public long readLong() throws IOException {
        return next(Long.BYTES).getLong();
    }

    @Override
    public float readFloat() throws IOException {
        return next(Float.BYTES).getFloat();
    }

    @Override
    public double readDouble() throws IOException {
        return next(Double.BYTES).getDouble();
    }

    @Override
    public void readShorts(short[] buffer, int offset, int length) throws IOException {
        for (int i = offset; i < offset + length; i++) {
            buffer[i] = readShort();
        }
    }

    @Override
    public void readInts(int[] buffer, int offset, int length) throws IOException {
        for (int i = offset; i < offset + length; i++) {
            buffer[i] = readInt();
        }
    }

    @Override
    public void readLongs(long[] buffer, int offset, int length) throws IOException {
        for (int i = offset; i < offset + length; i++) {
            buffer[i] = readLong();
        }
    }

    @Override
    public void readFloats(float[] buffer, int offset, int length) throws IOException {
        for (int i = offset; i < offset + length; i++) {
            buffer[i] = readFloat();
        }
    }

    @Override
    public void readDoubles(double[] buffer, int offset, int length) throws IOException {
        for (int i = offset; i < offset + length; i++) {
            buffer[i] = readDouble();
        }
    }

    @Override
    public void readByteBuffer(ByteBuffer buffer) throws IOException {
        if (chunk.length == 0) {
            chunk = new byte[BUFFER_BYTES];
        }
        while (buffer.hasRemaining()) {
            int length = Math.min(buffer.remaining(), chunk.length);
            readBytes(chunk, 0, length);
            buffer.put(chunk, 0, length);
        }
    }

    @Override
    public Source readInflated(int bytes, int inflateBufferSize) {
        InputStream compressed = new Limited(bytes);
        return new MatSource(new BufferedInputStream(new InflaterInputStream(compressed, new Inflater(), BUFFER_BYTES)))
                .order(order);
    }

    @Override
    public boolean isMutatedByChildren() {
        return true;
    }

    @Override
    public void skip(long bytes) throws IOException {
        in.skipNBytes(bytes);
        position += bytes;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }

    /** The next bytes of this source; closing it leaves the source open. */
    private final class Limited extends InputStream {
        private long left;

        Limited(long left) {
            this.left = left;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 255;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int read = in.read(target, offset, (int) Math.min(length, left));
            if (read > 0) {
                left -= read;
                position += read;
            }
            return read;
        }
    }
}
