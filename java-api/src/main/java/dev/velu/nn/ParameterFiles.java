package dev.velu.nn;

import dev.velu.device.Context;
import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import dev.velu.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Parameters and buffers to and from files, under torchvision's names and in torchvision's axis order. Tensors pass through
 * the Java heap in pieces of a few megabytes, however large they are.
 */
public final class ParameterFiles {
    private static final int NAMED_PROBLEMS = 5;

    /** Elements of a piece; more where one output of a layer has more. */
    private static final long PIECE = 1 << 20;

    private static final ValueLayout.OfFloat LITTLE_ENDIAN_FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private ParameterFiles() {}

    /**
     * Opens a file of weights: safetensors, or what {@code torch.save} wrote. Which it is, its contents say.
     *
     * @throws TensorFileException if it cannot be read, is damaged or something else; names the file and what it is
     */
    public static TensorFile open(Path path) throws TensorFileException {
        return FileFormat.open(path);
    }

    /** What to write for every tensor, read from the device when its turn comes. */
    public static List<SafeTensorsWriter.Entry> entries(Parameters parameters, Context context) {
        List<SafeTensorsWriter.Entry> entries = new ArrayList<>();
        for (Parameter parameter : parameters.all()) {
            entries.add(new SafeTensorsWriter.Entry(
                    parameter.name(),
                    ElementType.of(parameter.type().dtype()),
                    parameter.fileShape(),
                    channel -> write(parameters, parameter, context, channel)));
        }
        return entries;
    }

    /** Device memory as it is, read when its turn comes. */
    public static SafeTensorsWriter.Content content(MemorySegment device, Context context) {
        return channel -> {
            long piece = PIECE * Float.BYTES;
            byte[] bytes = new byte[(int) Math.min(piece, device.byteSize())];
            for (long done = 0; done < device.byteSize(); done += piece) {
                int count = (int) Math.min(piece, device.byteSize() - done);
                context.download(
                        device.asSlice(done, count),
                        MemorySegment.ofArray(bytes).asSlice(0, count));
                writeFully(channel, ByteBuffer.wrap(bytes, 0, count));
            }
        };
    }

    /**
     * Fills the parameters from a file. Floating tensors of any precision are converted. Tensors of the file that the network
     * does not have are left alone. VeLU's lambdas and counters of batches may be missing: they keep their values.
     *
     * @throws TensorFileException if a tensor is missing, has another shape or a dtype without conversion; names the first
     *     few. Nothing is changed then
     */
    public static void load(TensorFile file, Parameters parameters, Context context) throws TensorFileException {
        List<String> problems = problems(file, parameters);
        if (!problems.isEmpty()) {
            int named = Math.min(NAMED_PROBLEMS, problems.size());
            String more = problems.size() > named ? "; and " + (problems.size() - named) + " more" : "";
            throw new TensorFileException(
                    file.path(), "does not fit the network: " + String.join("; ", problems.subList(0, named)) + more);
        }
        for (Parameter parameter : parameters.all()) {
            if (file.contains(parameter.name())) {
                read(file, parameter.name(), parameters, parameter, context);
            }
        }
    }

    private static List<String> problems(TensorFile file, Parameters parameters) throws TensorFileException {
        List<String> problems = new ArrayList<>();
        for (Parameter parameter : parameters.all()) {
            if (!file.contains(parameter.name())) {
                if (!mayBeMissing(parameter)) {
                    problems.add(parameter.name() + " " + parameter.fileShape() + " is missing");
                }
            } else if (!file.shape(parameter.name()).equals(parameter.fileShape())) {
                problems.add(parameter.name() + " is " + file.shape(parameter.name()) + ", expected "
                        + parameter.fileShape());
            } else if (!converts(file.dtype(parameter.name()), parameter)) {
                problems.add(parameter.name() + " is of " + file.dtype(parameter.name()) + ", expected "
                        + expectedTypes(parameter));
            }
        }
        return problems;
    }

    /** Whether a file without this tensor is still whole: VeLU's lambdas and counters of batches keep their values then. */
    public static boolean mayBeMissing(Parameter parameter) {
        return parameter.role() == Parameter.Role.ACTIVATION || counts(parameter);
    }

    /** Whether a parameter can be read from elements of a type. */
    public static boolean converts(ElementType dtype, Parameter parameter) {
        return counts(parameter) ? dtype.integral() : dtype.convertible();
    }

    /** The element types that a parameter can be read from, in words. */
    public static String expectedTypes(Parameter parameter) {
        return counts(parameter) ? "integers" : "F32 or what converts to it";
    }

    private static boolean counts(Parameter parameter) {
        return parameter.type().dtype() == DType.I64;
    }

    /**
     * Fills one parameter from a tensor of its {@link Parameter#fileShape} and of a type that {@linkplain #converts converts}.
     *
     * @param name of the tensor in the file
     * @throws TensorFileException if its data are damaged
     */
    public static void read(TensorFile file, String name, Parameters parameters, Parameter parameter, Context context)
            throws TensorFileException {
        MemorySegment device = parameters.segment(parameter);
        if (counts(parameter)) {
            context.upload(MemorySegment.ofArray(file.toLongArray(name)), device);
            return;
        }
        Pieces pieces = new Pieces(parameter);
        float[] values = new float[pieces.length()];
        float[] turned = parameter.pixels() > 1 ? new float[pieces.length()] : values;
        for (long done = 0; done < pieces.elements(); done += values.length) {
            int count = (int) Math.min(values.length, pieces.elements() - done);
            file.copyTo(name, done, floats(values, count));
            if (parameter.pixels() > 1) {
                pieces.toMemory(values, turned, count);
            }
            context.upload(floats(turned, count), device.asSlice(done * Float.BYTES, (long) count * Float.BYTES));
        }
    }

    private static void write(Parameters parameters, Parameter parameter, Context context, WritableByteChannel channel)
            throws IOException {
        MemorySegment device = parameters.segment(parameter);
        if (counts(parameter)) {
            content(device, context).writeTo(channel);
            return;
        }
        Pieces pieces = new Pieces(parameter);
        float[] values = new float[pieces.length()];
        float[] turned = parameter.pixels() > 1 ? new float[pieces.length()] : values;
        byte[] bytes = new byte[pieces.length() * Float.BYTES];
        for (long done = 0; done < pieces.elements(); done += values.length) {
            int count = (int) Math.min(values.length, pieces.elements() - done);
            context.download(device.asSlice(done * Float.BYTES, (long) count * Float.BYTES), floats(values, count));
            if (parameter.pixels() > 1) {
                pieces.toFile(values, turned, count);
            }
            MemorySegment.copy(turned, 0, MemorySegment.ofArray(bytes), LITTLE_ENDIAN_FLOAT, 0, count);
            writeFully(channel, ByteBuffer.wrap(bytes, 0, count * Float.BYTES));
        }
    }

    private static MemorySegment floats(float[] values, int count) {
        return MemorySegment.ofArray(values).asSlice(0, (long) count * Float.BYTES);
    }

    private static void writeFully(WritableByteChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /**
     * A parameter cut into runs of whole outputs, each {@code [pixels, inputs]} in memory and {@code [inputs, pixels]} in files.
     *
     * @param elements of the parameter
     * @param row elements of one output
     * @param length elements of a run
     */
    private record Pieces(long elements, int row, int pixels, int length) {
        Pieces(Parameter parameter) {
            this(
                    parameter.type().shape().elements(),
                    parameter.pixels() > 1
                            ? Math.toIntExact(parameter.type().shape().elements()
                                    / parameter.type().shape().size(0))
                            : 1,
                    Math.toIntExact(parameter.pixels()));
        }

        private Pieces(long elements, int row, int pixels) {
            this(elements, row, pixels, (int) Math.min(elements, Math.max(1, PIECE / row) * row));
        }

        void toMemory(float[] file, float[] memory, int count) {
            transpose(file, memory, count, row / pixels, pixels);
        }

        void toFile(float[] memory, float[] file, int count) {
            transpose(memory, file, count, pixels, row / pixels);
        }

        /** Every row from {@code [rows, columns]} to {@code [columns, rows]}. */
        private void transpose(float[] from, float[] to, int count, int rows, int columns) {
            for (int base = 0; base < count; base += row) {
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < columns; c++) {
                        to[base + c * rows + r] = from[base + r * columns + c];
                    }
                }
            }
        }
    }
}
