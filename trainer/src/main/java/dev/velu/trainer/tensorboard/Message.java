package dev.velu.trainer.tensorboard;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A small protobuf message under construction. */
final class Message {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final CodedOutputStream fields = CodedOutputStream.newInstance(bytes);

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

    Message string(int field, String value) {
        return add(out -> out.writeString(field, value));
    }

    Message bytes(int field, byte[] value) {
        return add(out -> out.writeByteArray(field, value));
    }

    Message integer(int field, long value) {
        return add(out -> out.writeInt64(field, value));
    }

    Message single(int field, float value) {
        return add(out -> out.writeFloat(field, value));
    }

    Message real(int field, double value) {
        return add(out -> out.writeDouble(field, value));
    }

    /** A packed repeated field. */
    Message reals(int field, double[] values) {
        return add(out -> {
            out.writeTag(field, WireFormat.WIRETYPE_LENGTH_DELIMITED);
            out.writeUInt32NoTag(values.length * Double.BYTES);
            for (double value : values) {
                out.writeDoubleNoTag(value);
            }
        });
    }

    Message message(int field, Message value) {
        return bytes(field, value.toByteArray());
    }

    byte[] toByteArray() {
        add(CodedOutputStream::flush);
        return bytes.toByteArray();
    }
}
