package dev.velu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.graph.Binding;
import dev.velu.graph.NativeCall;
import dev.velu.graph.Operation;
import dev.velu.tensor.DType;
import dev.velu.tensor.Shape;
import dev.velu.tensor.Tensor;
import dev.velu.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Operations that take or give channels of a wider tensor give there what they give densely, and touch nothing between the
 * rows.
 */
class PitchedTest {
    private static final int GAP = 5;
    private static final float UNTOUCHED = -77;
    private static final Conv2d CONVOLUTION = Conv2d.of(2, 1);
    private static final MaxPool2d MAXIMUM = MaxPool2d.of(3, 2, 1);
    private static final AvgPool2d AVERAGE = new AvgPool2d(PoolWindow.of(3, 2, 1), false);
    private static final Shape IMAGES = Shape.of(2, 7, 9, 6);

    @AutoClose
    private final Context context = Context.open(Device.cpu(), 2, Isa.AUTO);

    /** An operation, its inputs, and whether it is its input or its output of an index that has a pitch. */
    private record Case(Operation operation, boolean input, int index, TensorType... inputs) {
        @Override
        public String toString() {
            return operation.name() + " " + (input ? "input " : "output ") + index;
        }
    }

    static Stream<Case> cases() {
        TensorType x = new TensorType(DType.F32, IMAGES);
        TensorType y = TensorType.f32(2, 4, 5, 8);
        TensorType weight = TensorType.f32(8, 3, 3, 6);
        TensorType pooled = TensorType.f32(2, 4, 5, 6);
        TensorType argmax = new TensorType(DType.U8, pooled.shape());
        return Stream.of(
                new Case(new Conv2d.Forward(CONVOLUTION, Pointwise.RELU), false, 0, x, weight, TensorType.f32(8)),
                new Case(new Conv2d.BackwardData(CONVOLUTION, IMAGES), true, 0, y, weight),
                new Case(new Conv2d.BackwardWeights(CONVOLUTION, weight.shape(), true), true, 1, x, y),
                new Case(new MaxPool2d.Forward(MAXIMUM, true), false, 0, x),
                new Case(new MaxPool2d.Backward(MAXIMUM, IMAGES), true, 0, pooled, argmax),
                new Case(new AvgPool2d.Forward(AVERAGE), false, 0, x),
                new Case(new AvgPool2d.Backward(AVERAGE, IMAGES), true, 0, pooled));
    }

    private static TensorType pitched(TensorType type) {
        return type.pitched(type.shape().size(-1) + GAP);
    }

    /** Memory for a type with its gaps; rows at their places, everything else untouched. */
    private MemorySegment memory(TensorType type, int seed) {
        long elements = type.bytes() / type.dtype().bytes();
        MemorySegment memory = context.allocate(type.bytes());
        if (type.dtype() == DType.U8) {
            byte[] positions = new byte[(int) elements];
            // The middle of every window: inside the image.
            Arrays.fill(positions, (byte) 4);
            context.upload(MemorySegment.ofArray(positions), memory);
            return memory;
        }
        float[] content = new float[(int) elements];
        Arrays.fill(content, UNTOUCHED);
        float[] values = Values.normal(seed, type.shape().elements());
        long channels = type.shape().size(-1);
        for (int i = 0; i < values.length && seed > 0; i++) {
            content[(int) (i / channels * type.pitch() + i % channels)] = values[i];
        }
        context.upload(MemorySegment.ofArray(content), memory);
        return memory;
    }

    private float[] content(TensorType type, MemorySegment memory) {
        if (type.dtype() != DType.F32) {
            return new float[0];
        }
        Tensor flat = Tensor.wrap(context, memory, DType.F32, type.bytes() / Float.BYTES);
        return flat.toFloatArray();
    }

    private List<float[]> run(Case c, boolean apart) {
        List<TensorType> inputTypes = new ArrayList<>(List.of(c.inputs));
        List<TensorType> outputTypes = new ArrayList<>(c.operation.infer(inputTypes));
        List<TensorType> side = c.input ? inputTypes : outputTypes;
        if (apart) {
            side.set(c.index, pitched(side.get(c.index)));
        }
        List<MemorySegment> inputs = IntStream.range(0, inputTypes.size())
                .mapToObj(i -> memory(inputTypes.get(i), i + 1))
                .toList();
        List<MemorySegment> outputs =
                outputTypes.stream().map(type -> memory(type, 0)).toList();
        try (Arena arena = Arena.ofConfined()) {
            c.operation.prepare(context, inputTypes, outputTypes);
            NativeCall call = c.operation.bind(
                    new Binding(c.operation.name(), context, arena, inputTypes, outputTypes, inputs, outputs));
            context.check(NativeCall.run(call), "velu_" + c.operation.name());
        }
        List<float[]> contents = new ArrayList<>();
        for (int i = 0; i < outputs.size(); i++) {
            contents.add(content(outputTypes.get(i), outputs.get(i)));
        }
        return contents;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rowsThatLieApartHaveTheSameValues(Case c) {
        assertThat(c.input ? c.operation.readsPitched(c.index) : c.operation.writesPitched(c.index))
                .isTrue();
        List<float[]> dense = run(c, false);
        List<float[]> apart = run(c, true);
        TensorType first = c.operation.infer(List.of(c.inputs)).getFirst();
        float[] expected = dense.getFirst();
        if (!c.input) {
            int channels = (int) first.shape().size(-1);
            float[] spread = new float[apart.getFirst().length];
            Arrays.fill(spread, UNTOUCHED);
            for (int i = 0; i < expected.length; i++) {
                spread[i / channels * (channels + GAP) + i % channels] = expected[i];
            }
            expected = spread;
        }
        assertThat(apart.getFirst()).containsExactly(expected, within(1e-5f));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void allOtherOperandsAreDense(Case c) {
        for (int i = 0; i < c.inputs.length; i++) {
            assertThat(c.operation.readsPitched(i)).isEqualTo(c.input && i == c.index);
        }
        for (int i = 0; i < c.operation.infer(List.of(c.inputs)).size(); i++) {
            assertThat(c.operation.writesPitched(i)).isEqualTo(!c.input && i == c.index);
        }
    }
}
