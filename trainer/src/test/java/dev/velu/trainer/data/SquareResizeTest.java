package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SquareResizeTest {

    /** A gray image with these rows of values. */
    private static DecodedImage gray(int[]... rows) {
        byte[] rgb = new byte[rows.length * rows[0].length * 3];
        int at = 0;
        for (int[] row : rows) {
            for (int value : row) {
                for (int c = 0; c < 3; c++) {
                    rgb[at++] = (byte) value;
                }
            }
        }
        return new DecodedImage(rows[0].length, rows.length, rgb);
    }

    private static int[][] red(DecodedImage image) {
        int[][] rows = new int[image.height()][image.width()];
        for (int i = 0; i < image.width() * image.height(); i++) {
            rows[i / image.width()][i % image.width()] = image.rgb()[3 * i] & 255;
        }
        return rows;
    }

    @Test
    void enlargingTwiceUsesQuartersOfTheNeighbours() {
        DecodedImage large = gray(new int[] {0, 100}, new int[] {0, 100}).toSquare(4);
        assertThat(red(large))
                .isDeepEqualTo(new int[][] {{0, 25, 75, 100}, {0, 25, 75, 100}, {0, 25, 75, 100}, {0, 25, 75, 100}});
    }

    @Test
    void enlargingIsTheSameDownAsAcross() {
        DecodedImage large = gray(new int[] {0, 0}, new int[] {100, 100}).toSquare(4);
        assertThat(red(large))
                .isDeepEqualTo(new int[][] {{0, 0, 0, 0}, {25, 25, 25, 25}, {75, 75, 75, 75}, {100, 100, 100, 100}});
    }

    @Test
    void halvingUsesTheTriangleOfFourPixels() {
        // Weights 3/7, 3/7, 1/7 at the left border and the mirror image at the right one.
        int[] row = {0, 70, 140, 210};
        assertThat(red(gray(row, row, row, row).toSquare(2))).isDeepEqualTo(new int[][] {{50, 160}, {50, 160}});
    }

    @Test
    void halvingInTheMiddleWeighsOneThreeThreeOneEighths() {
        int[] row = {0, 0, 0, 80, 160, 240, 0, 0};
        int[][] rows = new int[8][];
        Arrays.fill(rows, row);
        // Output 1 reads pixels 1..4: (0 + 3*0 + 3*80 + 160) / 8; output 2 reads 3..6: (80 + 3*160 + 3*240 + 0) / 8.
        int[] first = red(gray(rows).toSquare(4))[0];
        assertThat(first[1]).isEqualTo(50);
        assertThat(first[2]).isEqualTo(160);
    }

    @ParameterizedTest
    @CsvSource({"28,28,32", "64,64,32", "3,5,7", "500,333,224", "1,1,9", "1,300,4", "300,1,4", "7,7,7", "257,31,33"})
    void constantImageStaysConstant(int width, int height, int size) {
        byte[] rgb = new byte[width * height * 3];
        for (int i = 0; i < rgb.length; i += 3) {
            rgb[i] = (byte) 255;
            rgb[i + 1] = 3;
            rgb[i + 2] = (byte) 130;
        }
        byte[] square = new DecodedImage(width, height, rgb).toSquare(size).rgb();
        assertThat(square).hasSize(size * size * 3);
        for (int i = 0; i < square.length; i += 3) {
            assertThat(square[i] & 255).isEqualTo(255);
            assertThat(square[i + 1] & 255).isEqualTo(3);
            assertThat(square[i + 2] & 255).isEqualTo(130);
        }
    }

    @Test
    void wideImageKeepsItsCentre() {
        int[] row = {1, 2, 3, 4, 5, 6};
        assertThat(red(gray(row, row).toSquare(2))).isDeepEqualTo(new int[][] {{3, 4}, {3, 4}});
    }

    @Test
    void tallImageKeepsItsCentre() {
        DecodedImage tall = gray(new int[] {1, 1}, new int[] {2, 2}, new int[] {3, 3}, new int[] {4, 4});
        assertThat(red(tall.toSquare(2))).isDeepEqualTo(new int[][] {{2, 2}, {3, 3}});
    }

    @Test
    void mirroredImageGivesMirroredResult() {
        int[] row = {9, 200, 31, 77, 140, 3, 255};
        int[] mirrored = {255, 3, 140, 77, 31, 200, 9};
        int[] out = red(gray(row, row, row, row, row, row, row).toSquare(4))[0];
        int[] back = red(gray(mirrored, mirrored, mirrored, mirrored, mirrored, mirrored, mirrored)
                .toSquare(4))[0];
        assertThat(back).containsExactly(out[3], out[2], out[1], out[0]);
    }

    @Test
    void oneResizerServesImagesOfDifferentSizes() {
        SquareResize resize = new SquareResize(2);
        byte[] out = new byte[12];
        int[] row = {0, 70, 140, 210};
        resize.apply(gray(row, row, row, row), out);
        resize.apply(gray(new int[] {7, 7, 7}, new int[] {7, 7, 7}, new int[] {7, 7, 7}), out);
        assertThat(out).containsOnly(7);
        resize.apply(gray(row, row, row, row), out);
        assertThat(out).startsWith(50, 50, 50, 160, 160, 160);
    }

    @Test
    void sizeZeroIsRefused() {
        assertThatThrownBy(() -> gray(new int[] {1}).toSquare(0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0 is not positive");
    }
}
