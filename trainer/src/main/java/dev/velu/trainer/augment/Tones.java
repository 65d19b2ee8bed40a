package dev.velu.trainer.augment;

import java.util.Arrays;

/**
 * Changes that look every value up in a table of its channel. The tables are made once and written for every image: not for use by
 * two threads at once.
 */
final class Tones {
    private final int[] histogram = new int[256];
    private final byte[] table = new byte[256];

    /** Keeps the upper {@code amount} bits of every value. */
    void posterize(byte[] in, byte[] out, int size, double amount) {
        int mask = -1 << (8 - (int) amount);
        for (int i = 0; i < in.length; i++) {
            out[i] = (byte) (in[i] & mask);
        }
    }

    /** Inverts the values of {@code amount} and above. */
    void solarize(byte[] in, byte[] out, int size, double amount) {
        for (int i = 0; i < in.length; i++) {
            int value = in[i] & 255;
            out[i] = (byte) (value < amount ? value : 255 - value);
        }
    }

    /** Stretches every channel so that its values reach from 0 to 255; a channel of one value stays. */
    void autoContrast(byte[] in, byte[] out, int size, double amount) {
        for (int channel = 0; channel < 3; channel++) {
            count(in, channel);
            int lowest = 0;
            while (histogram[lowest] == 0) {
                lowest++;
            }
            int highest = 255;
            while (histogram[highest] == 0) {
                highest--;
            }
            double scale = highest > lowest ? 255.0 / (highest - lowest) : 1;
            double offset = highest > lowest ? -lowest * scale : 0;
            for (int value = 0; value < 256; value++) {
                table[value] = (byte) Math.clamp((int) (value * scale + offset), 0, 255);
            }
            lookUp(in, out, channel);
        }
    }

    /** Spreads every channel so that all values are about equally frequent; one of a single value stays. */
    void equalize(byte[] in, byte[] out, int size, double amount) {
        for (int channel = 0; channel < 3; channel++) {
            count(in, channel);
            int highest = 255;
            while (histogram[highest] == 0) {
                highest--;
            }
            // As Pillow: the last bin is left out, so that it can reach 255. A step of 0 means too few pixels, or one
            // value.
            int step = (in.length / 3 - histogram[highest]) / 255;
            int sum = step / 2;
            for (int value = 0; value < 256; value++) {
                table[value] = (byte) (step == 0 ? value : Math.min(sum / step, 255));
                sum += histogram[value];
            }
            lookUp(in, out, channel);
        }
    }

    private void count(byte[] in, int channel) {
        Arrays.fill(histogram, 0);
        for (int i = channel; i < in.length; i += 3) {
            histogram[in[i] & 255]++;
        }
    }

    private void lookUp(byte[] in, byte[] out, int channel) {
        for (int i = channel; i < in.length; i += 3) {
            out[i] = table[in[i] & 255];
        }
    }
}
