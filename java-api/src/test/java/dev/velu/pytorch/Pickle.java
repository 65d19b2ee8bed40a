package dev.velu.pytorch;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A pickle written operation by operation. */
final class Pickle {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /** Of protocol 2, as torch.save writes them. */
    static Pickle begin() {
        return new Pickle().op(0x80).op(2);
    }

    Pickle op(int opcode) {
        bytes.write(opcode);
        return this;
    }

    Pickle op(char opcode) {
        return op((int) opcode);
    }

    Pickle raw(byte[] more) {
        bytes.writeBytes(more);
        return this;
    }

    Pickle int32(int value) {
        return raw(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    Pickle text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return op('X').int32(utf8.length).raw(utf8);
    }

    Pickle number(int value) {
        return op('J').int32(value);
    }

    /** LONG1 of eight bytes. */
    Pickle number(long value) {
        return op(0x8a).op(8)
                .raw(ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(value)
                        .array());
    }

    Pickle global(String module, String name) {
        return op('c').raw((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
    }

    Pickle mark() {
        return op('(');
    }

    /** Of everything since the mark. */
    Pickle tuple() {
        return op('t');
    }

    Pickle numbers(long... values) {
        mark();
        for (long value : values) {
            number(value);
        }
        return tuple();
    }

    Pickle storage(String type, String key, long elements) {
        return mark().text("storage")
                .global("torch", type)
                .text(key)
                .text("cpu")
                .number(elements)
                .tuple()
                .op('Q');
    }

    Pickle orderedDict() {
        return global("collections", "OrderedDict").op(')').op('R');
    }

    /** A tensor over a whole new storage. */
    Pickle tensor(String type, String key, long elements, long offset, long[] sizes, long[] strides) {
        return global("torch._utils", "_rebuild_tensor_v2")
                .mark()
                .storage(type, key, elements)
                .number(offset)
                .numbers(sizes)
                .numbers(strides)
                .op(0x89)
                .orderedDict()
                .tuple()
                .op('R');
    }

    /** A contiguous vector of float32. */
    Pickle vector(String key, long elements) {
        return tensor("FloatStorage", key, elements, 0, new long[] {elements}, new long[] {1});
    }

    byte[] end() {
        return op('.').bytes();
    }

    byte[] bytes() {
        return bytes.toByteArray();
    }
}
