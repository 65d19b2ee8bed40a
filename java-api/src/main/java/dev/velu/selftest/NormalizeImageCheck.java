package dev.velu.selftest;

import dev.velu.op.NormalizeImage;
import dev.velu.tensor.DType;
import dev.velu.tensor.Tensor;
import java.util.List;
import java.util.Random;

/** Normalization of images, whose definition is one line. */
final class NormalizeImageCheck {
    private static final List<Float> MEAN = List.of(0.485f, 0.456f, 0.406f, 0f);
    private static final List<Float> STD = List.of(0.229f, 0.224f, 0.225f, 1f);

    private NormalizeImageCheck() {}

    static void run(Probe probe) {
        check(probe, 1, 16, 16, 1);
        check(probe, 3, 31, 33, 1);
        check(probe, 2, 17, 5, 2);
        check(probe, 31, 32, 32, 3);
        check(probe, 1, 1, 257, 4);
    }

    private static void check(Probe probe, int batch, int height, int width, int channels) {
        probe.trial("normalize_image_forward", batch + "x" + height + "x" + width + "x" + channels, trial -> {
            byte[] x = new byte[batch * height * width * channels];
            new Random(1).nextBytes(x);
            x[0] = 0;
            x[x.length - 1] = (byte) 255;
            double[] expected = new double[x.length];
            double[] magnitude = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                double mean = MEAN.get(i % channels);
                double std = STD.get(i % channels);
                double pixel = (x[i] & 0xff) / 255.0;
                expected[i] = (pixel - mean) / std;
                magnitude[i] = (pixel + mean) / std;
            }
            Tensor y = trial.output(DType.F32, batch, height, width, channels);
            new NormalizeImage(MEAN.subList(0, channels), STD.subList(0, channels))
                    .forward(trial.context(), trial.input(x, batch, height, width, channels), y);
            trial.compare("y", y, expected, magnitude, Tolerances.NORMALIZED);
        });
    }
}
