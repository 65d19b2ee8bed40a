package dev.velu.selftest;

import dev.velu.op.NormalizeImage;
import dev.velu.tensor.Tensor;
import java.util.List;
import java.util.Random;

/** Normalization of images, cropped, padded and mirrored, whose definition is a few lines. */
final class NormalizeImageCheck {
    private static final List<Float> MEAN = List.of(0.485f, 0.456f, 0.406f, 0f);
    private static final List<Float> STD = List.of(0.229f, 0.224f, 0.225f, 1f);

    private NormalizeImageCheck() {}

    /** Images x and their size as y. */
    private record Case(int batch, int height, int width, int channels, int outHeight, int outWidth) {
        static Case whole(int batch, int height, int width, int channels) {
            return new Case(batch, height, width, channels, height, width);
        }

        int outSize() {
            return batch * outHeight * outWidth * channels;
        }

        /** The pixel of x at y's (n, row, column, c), 0 outside the image. */
        int pixel(byte[] x, int[] placement, int n, int row, int column, int c) {
            int top = row + placement[3 * n];
            int left = (placement[3 * n + 2] != 0 ? outWidth - 1 - column : column) + placement[3 * n + 1];
            return top < 0 || top >= height || left < 0 || left >= width
                    ? 0
                    : x[((n * height + top) * width + left) * channels + c] & 0xff;
        }

        @Override
        public String toString() {
            return batch + "x" + height + "x" + width + "x" + channels
                    + (height == outHeight && width == outWidth ? "" : " to " + outHeight + "x" + outWidth);
        }
    }

    static void run(Probe probe) {
        List.of(
                        Case.whole(1, 16, 16, 1),
                        Case.whole(3, 31, 33, 1),
                        Case.whole(2, 17, 5, 2),
                        Case.whole(31, 32, 32, 3),
                        Case.whole(1, 1, 257, 4))
                .forEach(c -> check(probe, c, null));
        placed(probe, Case.whole(7, 17, 19, 3));
        placed(probe, new Case(5, 33, 31, 3, 24, 17));
        placed(probe, new Case(4, 5, 7, 1, 9, 12));
        placed(probe, new Case(2, 8, 8, 4, 1, 1));
    }

    /** Every image elsewhere, some of them partly or wholly outside, every second one mirrored. */
    private static void placed(Probe probe, Case c) {
        int[] offsets = Numbers.integers(c.outSize(), 2 * c.batch, -4, 9);
        int[] placement = new int[3 * c.batch];
        for (int n = 0; n < c.batch; n++) {
            placement[3 * n] = n == 1 ? c.height + 3 : offsets[2 * n];
            placement[3 * n + 1] = offsets[2 * n + 1];
            placement[3 * n + 2] = n % 2;
        }
        check(probe, c, placement);
    }

    private static void check(Probe probe, Case c, int[] placement) {
        String name = c + (placement == null ? "" : " placed and mirrored");
        probe.trial("normalize_image_forward", name, trial -> {
            byte[] x = new byte[c.batch * c.height * c.width * c.channels];
            new Random(1).nextBytes(x);
            x[0] = 0;
            x[x.length - 1] = (byte) 255;
            int[] places = placement == null ? new int[3 * c.batch] : placement;
            double[] expected = new double[c.outSize()];
            double[] magnitude = new double[expected.length];
            for (int i = 0; i < expected.length; i++) {
                int channel = i % c.channels;
                int column = i / c.channels % c.outWidth;
                int row = i / c.channels / c.outWidth % c.outHeight;
                int n = i / c.channels / c.outWidth / c.outHeight;
                double mean = MEAN.get(channel);
                double std = STD.get(channel);
                double pixel = c.pixel(x, places, n, row, column, channel) / 255.0;
                expected[i] = (pixel - mean) / std;
                magnitude[i] = (pixel + mean) / std;
            }
            Tensor y = trial.result(c.batch, c.outHeight, c.outWidth, c.channels);
            new NormalizeImage(MEAN.subList(0, c.channels), STD.subList(0, c.channels))
                    .forward(
                            trial.context(),
                            trial.input(x, c.batch, c.height, c.width, c.channels),
                            placement == null ? null : trial.input(placement, c.batch, 3),
                            y);
            trial.compare("y", y, expected, magnitude, Tolerances.NORMALIZED);
        });
    }
}
