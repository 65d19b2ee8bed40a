package dev.velu.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BFloat16Test {
    @ParameterizedTest
    @CsvSource({
        "0x1.00p0, 0x1.00p0",
        // Between two neighbours 2^-7 apart: below, at and above the middle; of the middles the even one.
        "0x1.00fp0, 0x1.00p0",
        "0x1.01p0, 0x1.00p0",
        "0x1.0101p0, 0x1.02p0",
        "0x1.03p0, 0x1.04p0",
        "-0x1.03p0, -0x1.04p0",
        "0x1p-133, 0x1p-133",
        "0x1p-135, 0",
        "0x1.fffffep127, Infinity",
        "-Infinity, -Infinity",
    })
    void roundsToTheNearestAndOfTwoToTheEvenOne(float value, float expected) {
        assertThat(BFloat16.round(value)).isEqualTo(expected);
    }

    @Test
    void keepsTheSignOfZero() {
        assertThat(BFloat16.of(-0.0f)).isEqualTo((short) 0x8000);
    }

    @Test
    void aNanWithAnyPayloadStaysANan() {
        for (int bits : new int[] {0x7f800001, 0x7fffffff, 0xff800001, 0xffffffff, 0x7fc00000}) {
            assertThat(BFloat16.round(Float.intBitsToFloat(bits))).isNaN();
        }
    }

    @Test
    void everyBFloat16ComesBackAsItWas() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            float value = BFloat16.toFloat((short) bits);
            if (!Float.isNaN(value)) {
                assertThat(BFloat16.of(value)).isEqualTo((short) bits);
            }
        }
    }
}
