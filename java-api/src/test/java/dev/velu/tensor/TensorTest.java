package dev.velu.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Initializer;
import dev.velu.op.Add;
import dev.velu.op.OptimizerStep;
import dev.velu.op.RandomFill;
import dev.velu.optim.GradientClip;
import dev.velu.optim.OptimizerAlgorithm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class TensorTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    @AutoClose
    private final Arena arena = Arena.ofConfined();

    @Test
    void newMemoryIsZero() {
        assertThat(Tensor.allocate(context, DType.F32, 2, 2).toFloatArray()).containsOnly(0);
    }

    @Test
    void valuesComeBackAsTheyWereSet() {
        assertThat(Tensor.allocate(context, DType.F32, 3).set(1, -2, 3.5f).toFloatArray())
                .containsExactly(1, -2, 3.5f);
    }

    @Test
    void valuesOfABfloat16TensorAreRounded() {
        Tensor tensor = Tensor.allocate(context, DType.BF16, 3).set(1, -2, 1.001f);
        assertThat(tensor.toFloatArray()).containsExactly(1, -2, 1);
        assertThat(tensor.segment().byteSize()).isEqualTo(6);
    }

    @Test
    void integersAreNotSetAsFloats() {
        Tensor tensor = Tensor.allocate(context, DType.I32, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tensor.set(1f, 2f))
                .withMessage("2 floats do not match a tensor of I32 [2]");
    }

    @Test
    void aTensorWithoutElementsIsAllowed() {
        assertThat(Tensor.allocate(context, DType.F32, 0, 4).toFloatArray()).isEmpty();
    }

    @Test
    void aScalarHasOneItem() {
        assertThat(Tensor.allocate(context, DType.F32).set(2.5f).item()).isEqualTo(2.5);
        assertThat(Tensor.allocate(context, DType.I64).item()).isZero();
    }

    @Test
    void itemOfSeveralElementsIsRefused() {
        Tensor tensor = Tensor.allocate(context, DType.F32, 2);
        assertThatIllegalArgumentException().isThrownBy(tensor::item).withMessageContaining("F32 [2]");
    }

    @Test
    void useAfterCloseIsAnIllegalState() {
        Tensor tensor = Tensor.allocate(context, DType.F32, 4);
        Tensor other = Tensor.allocate(context, DType.F32, 4);
        tensor.close();
        assertThatIllegalStateException().isThrownBy(tensor::segment).withMessageContaining("F32 [4] is closed");
        assertThatIllegalStateException().isThrownBy(tensor::toFloatArray);
        assertThatIllegalStateException().isThrownBy(() -> tensor.set(1f, 2f, 3f, 4f));
        assertThatIllegalStateException().isThrownBy(() -> new Add().forward(context, tensor, other, other));
        assertThatIllegalStateException().isThrownBy(() -> new Add().forward(context, other, other, tensor));
    }

    @Test
    void closingTwiceIsAllowed() {
        Tensor tensor = Tensor.allocate(context, DType.F32, 4);
        tensor.close();
        assertThatNoException().isThrownBy(tensor::close);
    }

    @Test
    void aViewSharesTheCallersMemory() {
        MemorySegment memory = arena.allocate(16, 4);
        Tensor view = Tensor.wrap(context, memory, DType.F32, 4);
        new Add().forward(context, view.set(1f, 2f, 3f, 4f), view, view);
        assertThat(memory.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(2, 4, 6, 8);
    }

    @Test
    void closingAViewLeavesTheCallersMemory() {
        MemorySegment memory = arena.allocate(16, 4);
        Tensor.wrap(context, memory, DType.F32, 4).close();
        assertThatNoException().isThrownBy(() -> memory.set(ValueLayout.JAVA_FLOAT, 0, 1));
    }

    @Test
    void aViewOfReleasedMemoryIsAnIllegalState() {
        Tensor view;
        try (Arena shortLived = Arena.ofConfined()) {
            view = Tensor.wrap(context, shortLived.allocate(16, 4), DType.F32, 4);
        }
        assertThatIllegalStateException().isThrownBy(view::segment).withMessageContaining("closed");
    }

    @Test
    void aNullSegmentIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(context, null, DType.F32, 4))
                .withMessageContaining("F32 [4] is null");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(context, MemorySegment.NULL, DType.F32, 4))
                .withMessageContaining("null");
    }

    @Test
    void aHeapSegmentIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(context, MemorySegment.ofArray(new float[4]), DType.F32, 4))
                .withMessageContaining("Java heap");
    }

    @Test
    void aSegmentThatIsTooSmallIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(context, arena.allocate(15, 4), DType.F32, 4))
                .withMessageContaining("15 bytes")
                .withMessageContaining("needs 16");
    }

    @Test
    void aMisalignedSegmentIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(context, arena.allocate(32, 8).asSlice(1), DType.F32, 4))
                .withMessageContaining("not aligned to 4 bytes");
    }

    @Test
    void aNegativeSizeIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.allocate(context, DType.F32, 2, -3))
                .withMessageContaining("-3");
    }

    @Test
    void aSizeThatOverflowsIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.allocate(context, DType.F32, 1L << 40, 1L << 40))
                .withMessageContaining("2^63");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.allocate(context, DType.F32, 1L << 62))
                .withMessageContaining("2^63");
    }

    @Test
    void valuesOfAnotherCountOrTypeAreRefused() {
        Tensor floats = Tensor.allocate(context, DType.F32, 3);
        Tensor labels = Tensor.allocate(context, DType.I32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> floats.set(1f, 2f))
                .withMessageContaining("2 floats")
                .withMessageContaining("F32 [3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> floats.set(1, 2, 3, 4))
                .withMessageContaining("F32 [3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> labels.set(1f, 2f, 3f))
                .withMessageContaining("I32 [3]");
        assertThatIllegalArgumentException().isThrownBy(labels::toFloatArray).withMessageContaining("I32 [3]");
    }

    @Test
    void aMissingTensorIsNamed() {
        Tensor tensor = Tensor.allocate(context, DType.F32, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Add().forward(context, tensor, tensor, Tensor.allocate(context, DType.F32, 4)))
                .withMessageContaining("output 0 is F32 [4], expected F32 [3]");
    }

    @Test
    void readOnlyMemoryIsReadButNotWritten() {
        Tensor constant = Tensor.wrap(context, arena.allocate(16, 64).asReadOnly(), DType.F32, 4);
        Tensor sum = Tensor.allocate(context, DType.F32, 4);
        new Add().forward(context, constant, constant, sum);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Add().forward(context, sum, sum, constant))
                .withMessageContaining("add_forward: output 0 is in read-only memory");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RandomFill(new Initializer.Normal(0, 1), 1, 0).fill(context, constant))
                .withMessageContaining("random_fill: out is in read-only memory");
    }

    @Test
    void readOnlyMemoryIsNotUpdated() {
        Tensor one = Tensor.allocate(context, DType.F32).set(1f);
        Tensor counters = Tensor.allocate(context, DType.F64, 2);
        Tensor constant = Tensor.wrap(context, arena.allocate(16, 64).asReadOnly(), DType.F32, 4);
        OptimizerStep step = new OptimizerStep(OptimizerAlgorithm.Sgd.defaults(), GradientClip.NONE);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> step.step(context, one, null, counters, constant, constant, null, null))
                .withMessageContaining("optimizer_step: input 3, which is updated, is in read-only memory");
    }
}
