package dev.velu.onnx;

import dev.velu.protobuf.Message;

/** A named constant of an ONNX node. */
public sealed interface Attribute {
    /** Its name in the operator's specification. */
    String name();

    /** An integer, e.g. {@code axis}. */
    record Int(String name, long value) implements Attribute {}

    /** Integers, e.g. {@code strides}. */
    record Ints(String name, long... values) implements Attribute {}

    /** A float, e.g. {@code epsilon}. */
    record Float(String name, float value) implements Attribute {}

    /** As an AttributeProto. */
    private Message message() {
        Message message = new Message().string(1, name());
        return switch (this) {
            case Int number -> message.integer(3, number.value()).integer(20, 2);
            case Ints numbers -> {
                for (long value : numbers.values()) {
                    message.integer(8, value);
                }
                yield message.integer(20, 7);
            }
            case Float number -> message.single(2, number.value()).integer(20, 1);
        };
    }

    /** Appends the attribute to its NodeProto. */
    static void write(Message node, Attribute attribute) {
        node.message(5, attribute.message());
    }
}
