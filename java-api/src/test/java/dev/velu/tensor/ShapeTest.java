package dev.velu.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class ShapeTest {
    @Test
    void aScalarHasOneElement() {
        assertThat(Shape.of().elements()).isEqualTo(1);
        assertThat(Shape.of().rank()).isZero();
    }

    @Test
    void negativeAxesCountFromTheLast() {
        assertThat(Shape.of(2, 3, 5).size(-1)).isEqualTo(5);
        assertThat(Shape.of(2, 3, 5).size(0)).isEqualTo(2);
    }

    @Test
    void anAxisOutsideIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Shape.of(2, 3).size(2))
                .withMessageContaining("axis 2")
                .withMessageContaining("[2, 3]");
    }

    @Test
    void laterChangesOfAnArrayDoNotReachIn() {
        long[] sizes = {2, 3};
        Shape shape = Shape.of(sizes);
        sizes[0] = 7;
        shape.toArray()[1] = 7;
        assertThat(shape).isEqualTo(Shape.of(2, 3));
    }

    @Test
    void elementsBeyondALongAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Shape.of(1L << 32, 1L << 32))
                .withMessageContaining("2^63 - 1");
    }
}
