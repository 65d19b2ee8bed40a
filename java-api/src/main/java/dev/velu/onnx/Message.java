package dev.velu.onnx;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A small protobuf message under construction; fields have the numbers of onnx.proto. */
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

    Message integer(int field, long value) {
        return add(out -> out.writeInt64(field, value));
    }

    Message decimal(int field, float value) {
        return add(out -> out.writeFloat(field, value));
    }

    Message message(int field, Message value) {
        return add(out -> out.writeByteArray(field, value.toByteArray()));
    }

    /** The start of a field of bytes that are written afterwards. */
    Message lengthOf(int field, long length) {
        return add(out -> {
            out.writeTag(field, 2);
            out.writeUInt64NoTag(length);
        });
    }

    Message raw(byte[] message) {
        return add(out -> out.writeRawBytes(message));
    }

    byte[] toByteArray() {
        add(CodedOutputStream::flush);
        return bytes.toByteArray();
    }
}
