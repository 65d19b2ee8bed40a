package dev.velu.nn;

import dev.velu.device.Context;
import dev.velu.safetensors.ElementType;
import dev.velu.safetensors.SafeTensorsException;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.SafeTensorsWriter;
import dev.velu.safetensors.TensorInfo;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;

/** Parameters and buffers to and from safetensors files, under torchvision's names and in torchvision's axis order. */
public final class ParameterFiles {
    private static final int NAMED_PROBLEMS = 5;

    private ParameterFiles() {}

    /** What to write for every tensor, read from the device when its turn comes. */
    public static List<SafeTensorsWriter.Entry> entries(Parameters parameters, Context context) {
        List<SafeTensorsWriter.Entry> entries = new ArrayList<>();
        for (Parameter parameter : parameters.all()) {
            entries.add(new SafeTensorsWriter.Entry(
                    parameter.name(),
                    ElementType.of(parameter.type().dtype()),
                    fileShape(parameter),
                    channel -> write(parameters, parameter, context, channel)));
        }
        return entries;
    }

    /**
     * Fills the parameters from a file. Floating tensors of any precision are converted. Tensors of the file that the network
     * does not have are left alone. VeLU's lambdas and counters of batches may be missing: they keep their values.
     *
     * @throws SafeTensorsException if a tensor is missing, has another shape or a dtype without conversion; names the first
     *     few. Nothing is changed then
     */
    public static void load(SafeTensorsFile file, Parameters parameters, Context context) throws SafeTensorsException {
        List<String> problems = problems(file, parameters);
        if (!problems.isEmpty()) {
            int named = Math.min(NAMED_PROBLEMS, problems.size());
            String more = problems.size() > named ? "; and " + (problems.size() - named) + " more" : "";
            throw new SafeTensorsException(
                    file.path(), "does not fit the network: " + String.join("; ", problems.subList(0, named)) + more);
        }
        for (Parameter parameter : parameters.all()) {
            if (file.contains(parameter.name())) {
                read(file, parameters, parameter, context);
            }
        }
    }

    private static List<String> problems(SafeTensorsFile file, Parameters parameters) throws SafeTensorsException {
        List<String> problems = new ArrayList<>();
        for (Parameter parameter : parameters.all()) {
            if (!file.contains(parameter.name())) {
                if (parameter.role() != Parameter.Role.ACTIVATION
                        && parameter.type().dtype() != DType.I64) {
                    problems.add(parameter.name() + " " + fileShape(parameter) + " is missing");
                }
                continue;
            }
            TensorInfo info = file.info(parameter.name());
            boolean counts = parameter.type().dtype() == DType.I64;
            if (!info.shape().equals(fileShape(parameter))) {
                problems.add(parameter.name() + " is " + info.shape() + ", expected " + fileShape(parameter));
            } else if (counts ? !info.dtype().integral() : !info.dtype().convertible()) {
                problems.add(parameter.name() + " is of " + info.dtype() + ", expected "
                        + (counts ? "integers" : "F32 or what converts to it"));
            }
        }
        return problems;
    }

    private static Shape fileShape(Parameter parameter) {
        Shape shape = parameter.type().shape();
        return parameter.layout() == Parameter.Layout.CONVOLUTION
                ? Shape.of(shape.size(0), shape.size(3), shape.size(1), shape.size(2))
                : shape;
    }

    private static void read(SafeTensorsFile file, Parameters parameters, Parameter parameter, Context context)
            throws SafeTensorsException {
        MemorySegment device = parameters.segment(parameter);
        if (parameter.type().dtype() == DType.I64) {
            context.upload(MemorySegment.ofArray(file.toLongArray(parameter.name())), device);
            return;
        }
        float[] values = file.toFloatArray(parameter.name());
        if (parameter.layout() == Parameter.Layout.CONVOLUTION) {
            values = transposeMatrices(values, parameter.type().shape(), true);
        }
        context.upload(MemorySegment.ofArray(values), device);
    }

    private static void write(Parameters parameters, Parameter parameter, Context context, WritableByteChannel channel)
            throws IOException {
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.toIntExact(parameter.type().bytes())).order(ByteOrder.LITTLE_ENDIAN);
        context.download(parameters.segment(parameter), MemorySegment.ofBuffer(bytes));
        if (parameter.layout() == Parameter.Layout.CONVOLUTION) {
            float[] values = new float[bytes.capacity() / Float.BYTES];
            bytes.asFloatBuffer().get(values);
            bytes.asFloatBuffer().put(transposeMatrices(values, parameter.type().shape(), false));
        }
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Between {@code [O, H W, I]} in memory and {@code [O, I, H W]} in files. */
    private static float[] transposeMatrices(float[] from, Shape memoryShape, boolean toMemory) {
        int outputs = Math.toIntExact(memoryShape.size(0));
        int pixels = Math.toIntExact(memoryShape.size(1) * memoryShape.size(2));
        int inputs = Math.toIntExact(memoryShape.size(3));
        float[] to = new float[from.length];
        for (int o = 0; o < outputs; o++) {
            int base = o * pixels * inputs;
            for (int p = 0; p < pixels; p++) {
                for (int i = 0; i < inputs; i++) {
                    int memory = base + p * inputs + i;
                    int file = base + i * pixels + p;
                    to[toMemory ? memory : file] = from[toMemory ? file : memory];
                }
            }
        }
        return to;
    }
}
