package dev.velu.onnx;

import com.google.protobuf.CodedOutputStream;
import dev.velu.graph.Graph;
import dev.velu.graph.Node;
import dev.velu.graph.Value;
import dev.velu.protobuf.Message;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A model of standard ONNX operators (opset {@value #OPSET}, float32), made from a recorded inference graph: every operation
 * adds the nodes that compute its outputs, see {@link dev.velu.graph.Operation#toOnnx}.
 *
 * <p>Images are {@code [N, C, H, W]} in ONNX: a value of four axes has the same elements there with the channels second, see
 * {@link #channelAxis}. All others keep their order of axes. The size of the first axis, the batch, stays open.
 */
public final class OnnxGraph {
    /** Version of the operators: the first with LayerNormalization. */
    public static final int OPSET = 17;

    private static final int IR_VERSION = 8;
    private static final int FLOAT = 1;
    private static final int INT64 = 7;
    private static final String BATCH = "N";

    /** Writes the bytes of a tensor, little endian. */
    @FunctionalInterface
    public interface Data {
        /**
         * Writes the whole content.
         *
         * @throws IOException if the channel does
         */
        void write(WritableByteChannel channel) throws IOException;
    }

    private record Initializer(String name, int type, long[] shape, long bytes, Data data) {}

    private record Port(String name, long[] shape) {}

    private final String name;
    private final List<Message> nodes = new ArrayList<>();
    private final List<Initializer> initializers = new ArrayList<>();
    private final List<Port> inputs = new ArrayList<>();
    private final List<Port> outputs = new ArrayList<>();
    private final Map<String, String> metadata;
    private final Map<Value, String> names = new HashMap<>();
    private final Set<Value> channelsFirst = new HashSet<>();
    private String scope = "";
    private int count;

    /**
     * An empty graph.
     *
     * @param name of the graph, e.g. {@code resnet50}
     * @param metadata texts for whoever loads the model
     */
    public OnnxGraph(String name, Map<String, String> metadata) {
        this.name = name;
        this.metadata = Map.copyOf(metadata);
    }

    /**
     * Adds the nodes of every operation of a graph, in order, but of those whose output is an input of the model.
     *
     * @throws IllegalStateException if an operation has no form in ONNX; names it
     */
    public void addAll(Graph graph) {
        for (Node node : graph.nodes()) {
            if (!names.containsKey(node.output(0))) {
                scope = node.scope();
                node.operation().toOnnx(node, this);
            }
        }
        scope = "";
    }

    /** An input of the model for a value of the graph. */
    public void input(String inputName, Value value) {
        names.put(value, inputName);
        inputs.add(new Port(inputName, shape(value)));
    }

    /** An output of the model: a value of the graph. */
    public void output(String outputName, Value value) {
        addNode("Identity", List.of(name(value)), List.of(outputName));
        outputs.add(new Port(outputName, shape(value)));
    }

    /** A tensor of the model, e.g. a weight, in its ONNX shape; little-endian float32. */
    public void parameter(Value value, long[] shape, Data data) {
        String parameterName = value.name();
        names.put(value, parameterName);
        long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
        initializers.add(new Initializer(parameterName, FLOAT, shape, elements * Float.BYTES, data));
    }

    /**
     * The name of a value's tensor.
     *
     * @throws IllegalStateException if nothing that was added computes it
     */
    public String name(Value value) {
        String known = names.get(value);
        if (known == null) {
            throw new IllegalStateException(value + " is not known to the ONNX graph; its producer has not been added");
        }
        return known;
    }

    /** Whether the model has a tensor for a value. */
    public boolean knows(Value value) {
        return names.containsKey(value);
    }

    /** Says which tensor is a value. */
    public void define(Value value, String tensor) {
        names.put(value, tensor);
    }

    /** Adds a node with one output. */
    public String node(String operator, List<String> nodeInputs, Attribute... attributes) {
        String output = (scope.isEmpty() ? operator : scope + "/" + operator) + "_" + count++;
        addNode(operator, nodeInputs, List.of(output), attributes);
        return output;
    }

    private void addNode(String operator, List<String> nodeInputs, List<String> nodeOutputs, Attribute... attributes) {
        Message node = new Message();
        for (String input : nodeInputs) {
            node.string(1, input);
        }
        for (String output : nodeOutputs) {
            node.string(2, output);
        }
        node.string(3, nodeOutputs.getFirst()).string(4, operator);
        for (Attribute attribute : attributes) {
            Attribute.write(node, attribute);
        }
        nodes.add(node);
    }

    /** A float32 constant. */
    public String constant(float value) {
        return constant(new long[0], value);
    }

    /** A float32 constant of a shape. */
    public String constant(long[] shape, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return constant(FLOAT, shape, bytes);
    }

    /** An int64 scalar, e.g. the index for a Gather. */
    public String integer(long value) {
        return integers(new long[0], value);
    }

    /** An int64 vector, e.g. the shape for a Reshape. */
    public String integers(long... values) {
        return integers(new long[] {values.length}, values);
    }

    private String integers(long[] shape, long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(values);
        return constant(INT64, shape, bytes);
    }

    private String constant(int type, long[] shape, ByteBuffer bytes) {
        String constant = "constant_" + count++;
        initializers.add(new Initializer(constant, type, shape, bytes.remaining(), channel -> {
            ByteBuffer left = bytes.duplicate();
            while (left.hasRemaining()) {
                channel.write(left);
            }
        }));
        return constant;
    }

    /** The axis that holds the channels of a value in ONNX: 1 of images, else the last. */
    public static int channelAxis(Value value) {
        return value.type().shape().rank() == 4 ? 1 : value.type().shape().rank() - 1;
    }

    /** Notes that the rows of a value are flattened images with the channels first, as {@code Parameter.Layout.flattened} is in files. */
    public void flattenedChannelsFirst(Value value) {
        channelsFirst.add(value);
    }

    /** Whether the rows of a value are flattened images with the channels first. */
    public boolean isFlattenedChannelsFirst(Value value) {
        return channelsFirst.contains(value);
    }

    private static long[] shape(Value value) {
        long[] s = value.type().shape().toArray();
        return s.length == 4 ? new long[] {s[0], s[3], s[1], s[2]} : s;
    }

    /** Writes the model as a ModelProto. The stream stays open. */
    public void write(OutputStream stream, String producerVersion) throws IOException {
        OutputStream buffered = new BufferedOutputStream(stream, 1 << 16);
        CodedOutputStream out = CodedOutputStream.newInstance(buffered);
        Message head = new Message()
                .integer(1, IR_VERSION)
                .string(2, "velu")
                .string(3, producerVersion)
                .message(8, new Message().string(1, "").integer(2, OPSET));
        for (Map.Entry<String, String> entry : new TreeMap<>(metadata).entrySet()) {
            head.message(14, new Message().string(1, entry.getKey()).string(2, entry.getValue()));
        }
        out.writeRawBytes(head.toByteArray());
        writeGraph(out);
        out.flush();
        buffered.flush();
    }

    private void writeGraph(CodedOutputStream out) throws IOException {
        Message small = new Message();
        for (Message node : nodes) {
            small.message(1, node);
        }
        small.string(2, name);
        for (Port input : inputs) {
            small.message(11, port(input));
        }
        for (Port output : outputs) {
            small.message(12, port(output));
        }
        long size = small.toByteArray().length;
        for (Initializer initializer : initializers) {
            size += tensorStart(initializer).length + initializer.bytes();
        }
        if (size > Integer.MAX_VALUE) {
            throw new IOException("the network has " + size + " bytes; an ONNX file holds at most 2^31 - 1");
        }
        out.writeRawBytes(
                new Message().lengthOf(7, size).raw(small.toByteArray()).toByteArray());
        for (Initializer initializer : initializers) {
            out.writeRawBytes(tensorStart(initializer));
            initializer.data().write(Channels.newChannel(new RawBytes(out)));
        }
    }

    /** An initializer of the graph up to the bytes of its raw data. */
    private static byte[] tensorStart(Initializer initializer) {
        byte[] header = header(initializer);
        return new Message()
                .lengthOf(5, header.length + initializer.bytes())
                .raw(header)
                .toByteArray();
    }

    /** A TensorProto up to the bytes of its raw data. */
    private static byte[] header(Initializer initializer) {
        Message tensor = new Message();
        for (long size : initializer.shape()) {
            tensor.integer(1, size);
        }
        return tensor.integer(2, initializer.type())
                .string(8, initializer.name())
                .lengthOf(9, initializer.bytes())
                .toByteArray();
    }

    /** A ValueInfoProto of a float32 tensor whose first axis is open. */
    private static Message port(Port port) {
        Message shape = new Message().message(1, new Message().string(2, BATCH));
        for (int axis = 1; axis < port.shape().length; axis++) {
            shape.message(1, new Message().integer(1, port.shape()[axis]));
        }
        Message tensor = new Message().integer(1, FLOAT).message(2, shape);
        return new Message().string(1, port.name()).message(2, new Message().message(1, tensor));
    }

    private static final class RawBytes extends OutputStream {
        private final CodedOutputStream out;

        RawBytes(CodedOutputStream out) {
            this.out = out;
        }

        @Override
        public void write(int value) throws IOException {
            out.writeRawByte((byte) value);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            out.writeRawBytes(bytes, offset, length);
        }
    }
}
