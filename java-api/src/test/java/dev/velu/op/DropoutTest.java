package dev.velu.op;

import static dev.velu.op.Dropout.Mode.ELEMENT;
import static dev.velu.op.Dropout.Mode.ROW;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.Isa;
import dev.velu.nn.Initializer;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class DropoutTest {
    @AutoClose
    private final Context context = Context.open(Device.cpu(), 1, Isa.AUTO);

    private static final int COUNT = 10_000;

    private final Tensor x = Tensor.allocate(context, DType.F32, COUNT);
    private final Tensor y = Tensor.allocate(context, DType.F32, COUNT);
    private final Tensor step = Tensor.allocate(context, DType.I64);

    private float[] drop(Dropout dropout) {
        RandomFill.fill(context, x.segment(), COUNT, new Initializer.Constant(1), 0, 0);
        dropout.forward(context, x, step, y);
        return y.toFloatArray();
    }

    @Test
    void keepsTheAskedShareAndScalesIt() {
        float[] kept = drop(new Dropout(0.25f, 1, 0, ELEMENT));
        int zeros = 0;
        for (float value : kept) {
            assertThat(value == 0 || Math.abs(value - 4 / 3f) < 1e-6).isTrue();
            zeros += value == 0 ? 1 : 0;
        }
        assertThat(zeros).isBetween(2300, 2700);
    }

    @Test
    void theGradientHasTheSameMask() {
        Dropout dropout = new Dropout(0.5f, 3, 2, ELEMENT);
        float[] kept = drop(dropout);
        dropout.backward(context, x, step, x);
        assertThat(x.toFloatArray()).isEqualTo(kept);
    }

    @Test
    void anotherStepHasAnotherMask() {
        float[] first = drop(new Dropout(0.5f, 3, 2, ELEMENT));
        RandomFill.fill(context, step.segment(), step.type(), new Initializer.Constant(1), 0, 0);
        assertThat(drop(new Dropout(0.5f, 3, 2, ELEMENT))).isNotEqualTo(first);
    }

    @Test
    void imagesAreKeptOrDroppedAsAWhole() {
        Dropout dropout = new Dropout(0.25f, 1, 0, ROW);
        Tensor images = Tensor.allocate(context, DType.F32, 1000, 2, 5);
        RandomFill.fill(context, images.segment(), 10_000, new Initializer.Constant(1), 0, 0);
        dropout.forward(context, images, step, images);
        float[] kept = images.toFloatArray();
        int zeros = 0;
        for (int image = 0; image < 1000; image++) {
            for (int i = 0; i < 10; i++) {
                assertThat(kept[10 * image + i]).isEqualTo(kept[10 * image]);
            }
            zeros += kept[10 * image] == 0 ? 1 : 0;
        }
        assertThat(zeros).isBetween(200, 300);
    }

    @Test
    void imagesHaveTheMaskOfAsManyElements() {
        RandomFill.fill(context, x.segment(), COUNT, new Initializer.Constant(1), 0, 0);
        new Dropout(0.5f, 3, 2, ELEMENT).forward(context, x, step, y);
        Tensor images = Tensor.allocate(context, DType.F32, COUNT, 3);
        RandomFill.fill(context, images.segment(), 3L * COUNT, new Initializer.Constant(1), 0, 0);
        new Dropout(0.5f, 3, 2, ROW).backward(context, images, step, images);
        float[] elements = y.toFloatArray();
        float[] rows = images.toFloatArray();
        for (int i = 0; i < rows.length; i++) {
            assertThat(rows[i]).isEqualTo(elements[i / 3]);
        }
    }

    @Test
    void noImagesAreNoWork() {
        Tensor none = Tensor.allocate(context, DType.F32, 0, 3);
        new Dropout(0.5f, 3, 2, ROW).forward(context, none, step, none);
    }

    @Test
    void aScalarHasNoImages() {
        Tensor scalar = Tensor.allocate(context, DType.F32);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Dropout(0.5f, 0, 0, ROW).forward(context, scalar, step, scalar))
                .withMessage("dropout_forward: x is a scalar, expected a first axis of images to keep or drop");
    }

    @Test
    void aProbabilityOutsideItsRangeIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Dropout(1, 0, 0, ELEMENT))
                .withMessage("dropout probability 1.0 is outside [0, 1)");
        assertThatIllegalArgumentException().isThrownBy(() -> new Dropout(Float.NaN, 0, 0, ELEMENT));
    }

    @Test
    void aStepThatIsNotACountIsNamed() {
        Tensor floats = Tensor.allocate(context, DType.F32);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Dropout(0.5f, 0, 0, ELEMENT).forward(context, x, floats, y))
                .withMessage("dropout_forward: step is F32 [], expected I64 []");
    }
}
