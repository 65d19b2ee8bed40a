package dev.velu.trainer.augment;

import dev.velu.trainer.random.SplitMix;

/**
 * Paints a rectangle over (Zhong et al., 2017), as torchvision's {@code RandomErasing}: its area is 2 to 33 % of the image's, its
 * aspect ratio from 0.3 to 3.3.
 *
 * @param probability that an image has one, in (0, 1]
 * @param fill red, green and blue, uint8
 */
record RandomErasing(float probability, byte[] fill) implements Transform {
    private static final int ATTEMPTS = 10;

    @Override
    public boolean apply(byte[] in, byte[] out, int size, SplitMix random) {
        if (random.nextDouble() >= probability) {
            return false;
        }
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double area = (double) size * size * random.nextDouble(0.02, 0.33);
            double ratio = StrictMath.exp(random.nextDouble(StrictMath.log(0.3), StrictMath.log(3.3)));
            int height = (int) Math.rint(Math.sqrt(area * ratio));
            int width = (int) Math.rint(Math.sqrt(area / ratio));
            if (height > 0 && width > 0 && height < size && width < size) {
                int top = random.nextInt(size - height + 1);
                int left = random.nextInt(size - width + 1);
                System.arraycopy(in, 0, out, 0, in.length);
                erase(out, size, left, top, width, height);
                return true;
            }
        }
        return false;
    }

    private void erase(byte[] out, int size, int left, int top, int width, int height) {
        for (int y = top; y < top + height; y++) {
            int end = (y * size + left + width) * 3;
            for (int i = (y * size + left) * 3; i < end; i += 3) {
                out[i] = fill[0];
                out[i + 1] = fill[1];
                out[i + 2] = fill[2];
            }
        }
    }
}
