package dev.velu.trainer.data;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How the uint8 pixels of one image lie in memory: channel {@code c} of the pixel in row {@code y} and column {@code x}
 * is byte {@code c * plane + y * row + x * column}.
 *
 * @param width columns, at least 1
 * @param height rows, at least 1
 * @param plane bytes between channels; 0 for gray, where all three are the same
 * @param row bytes between rows
 * @param column bytes between columns
 */
record PixelLayout(int width, int height, int plane, int row, int column) {

    /** Gray, rows one after another. */
    static PixelLayout gray(int width, int height) {
        return new PixelLayout(width, height, 0, width, 1);
    }

    /** Gray, columns one after another. */
    static PixelLayout grayColumns(int width, int height) {
        return new PixelLayout(width, height, 0, 1, height);
    }

    /** A plane of each of red, green and blue, rows one after another. */
    static PixelLayout planes(int width, int height) {
        return new PixelLayout(width, height, width * height, width, 1);
    }

    /** A plane of each of red, green and blue, columns one after another, as MATLAB stores them. */
    static PixelLayout planesOfColumns(int width, int height) {
        return new PixelLayout(width, height, width * height, 1, height);
    }

    /** The bytes of one image. */
    int bytes() {
        return width * height * (plane == 0 ? 1 : 3);
    }

    /** The image that starts at byte {@code offset} of {@code pixels}. */
    DecodedImage image(MemorySegment pixels, long offset) {
        byte[] rgb = new byte[3 * width * height];
        int out = 0;
        for (int y = 0; y < height; y++) {
            long in = offset + (long) y * row;
            for (int x = 0; x < width; x++, in += column) {
                rgb[out++] = pixels.get(ValueLayout.JAVA_BYTE, in);
                rgb[out++] = pixels.get(ValueLayout.JAVA_BYTE, in + plane);
                rgb[out++] = pixels.get(ValueLayout.JAVA_BYTE, in + 2L * plane);
            }
        }
        return new DecodedImage(width, height, rgb);
    }
}
