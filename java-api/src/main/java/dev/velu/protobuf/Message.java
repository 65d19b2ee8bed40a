package dev.velu.protobuf;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A small protobuf message under construction. Fields have the numbers that the message's definition gives them. */
public final class Message {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final CodedOutputStream fields = CodedOutputStream.newInstance(bytes);

    /** An empty message. */
    public Message() {}

    @FunctionalInterface
    private interface Field {
        void write(CodedOutputStream fields) throws IOException;
    }

    private Message add(Field field) {
        try {
            field.write(fields);
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
    }

    /** A field of type string. */
    public Message string(int field, String value) {
        return add(out -> out.writeString(field, value));
    }

    /** A field of type bytes. */
    public Message bytes(int field, byte[] value) {
        return add(out -> out.writeByteArray(field, value));
    }

    /** A field of type int64, or of another type that is encoded alike: int32, bool, enum. */
    public Message integer(int field, long value) {
        return add(out -> out.writeInt64(field, value));
    }

    /** A field of type float. */
    public Message single(int field, float value) {
        return add(out -> out.writeFloat(field, value));
    }

    /** A field of type double. */
    public Message real(int field, double value) {
        return add(out -> out.writeDouble(field, value));
    }

    /** A packed repeated field of type double. */
    public Message reals(int field, double[] values) {
        return lengthOf(field, (long) values.length * Double.BYTES).add(out -> {
            for (double value : values) {
                out.writeDoubleNoTag(value);
            }
        });
    }

    /** A field that is a message. */
    public Message message(int field, Message value) {
        return bytes(field, value.toByteArray());
    }

    /** The start of a field of bytes that are written afterwards. */
    public Message lengthOf(int field, long length) {
        return add(out -> {
            out.writeTag(field, WireFormat.WIRETYPE_LENGTH_DELIMITED);
            out.writeUInt64NoTag(length);
        });
    }

    /** Fields that are encoded already. */
    public Message raw(byte[] encoded) {
        return add(out -> out.writeRawBytes(encoded));
    }

    /** The message so far, encoded. */
    public byte[] toByteArray() {
        add(CodedOutputStream::flush);
        return bytes.toByteArray();
    }
}
