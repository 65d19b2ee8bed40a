package dev.velu.trainer.data;

import dev.velu.trainer.random.SplitMix;
import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.util.List;
import java.util.Objects;

/**
 * Images of one plane figure each, drawn when asked for: random position, rotation (up to 20 degrees either way), size (60
 * to 90 % of the image), a figure of a random colour lighter than its background by a minimum contrast, a background that
 * may shade from one colour to another, and noise. Image {@code i} of a seed and split is always the same, whatever else is
 * drawn.
 */
final class ShapesDataset implements Dataset {

    /** Measured over the default training images. */
    static final Normalization NORMALIZATION = Normalization.gray(0.42f, 0.29f);

    private static final double MIN_EXTENT = 0.6;
    private static final double MAX_EXTENT = 0.9;

    /** Largest rotation either way, in radians. */
    private static final double MAX_ANGLE = Math.PI / 9;

    /** How much more luma than both ends of the background a figure has at least, of 255. */
    private static final double MIN_CONTRAST = 70;

    /** Largest amplitude of the noise, of 255. */
    private static final double MAX_NOISE = 20;

    static {
        HeadlessAwt.choose();
    }

    private final ShapesOptions options;
    private final String split;
    private final int size;

    private ShapesDataset(ShapesOptions options, String split, int size) {
        this.options = options;
        this.split = split;
        this.size = size;
    }

    static DatasetPair open(ShapesOptions options) {
        return new DatasetPair(
                new ShapesDataset(options, "train", options.trainCount()),
                new ShapesDataset(options, "eval", options.evalCount()));
    }

    @Override
    public String name() {
        return "shapes";
    }

    @Override
    public String split() {
        return split;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public List<String> classNames() {
        return ShapeOutline.CLASS_NAMES;
    }

    @Override
    public Normalization normalization() {
        return NORMALIZATION;
    }

    @Override
    public boolean horizontalFlip() {
        return true;
    }

    @Override
    public int label(int index) {
        return Objects.checkIndex(index, size) % ShapeOutline.CLASS_NAMES.size();
    }

    @Override
    public DecodedImage image(int index) {
        ShapeOutline outline = ShapeOutline.values()[label(index)];
        SplitMix random = SplitMix.of(options.seed(), split.equals("train") ? 1 : 2, index);
        byte[] rgb = draw(outline, options.imageSize(), random);
        addNoise(rgb, random.nextDouble(4, MAX_NOISE), random);
        return new DecodedImage(options.imageSize(), options.imageSize(), rgb);
    }

    private static byte[] draw(ShapeOutline outline, int side, SplitMix random) {
        Color near = color(random);
        Color far = random.nextBoolean() ? near : shade(near, random);
        Color figure = color(random);
        while (luma(figure) < Math.max(luma(near), luma(far)) + MIN_CONTRAST) {
            near = color(random);
            far = random.nextBoolean() ? near : shade(near, random);
            figure = color(random);
        }
        double radius = side * random.nextDouble(MIN_EXTENT, MAX_EXTENT) / 2;
        double centerX = random.nextDouble(radius, side - radius);
        double centerY = random.nextDouble(radius, side - radius);
        double angle = random.nextDouble(-MAX_ANGLE, MAX_ANGLE);
        // StrictMath, so that the same image comes out on every machine.
        double cos = radius * StrictMath.cos(angle);
        double sin = radius * StrictMath.sin(angle);

        BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_3BYTE_BGR);
        Graphics2D graphics = image.createGraphics();
        try {
            graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
            graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
            graphics.setPaint(
                    random.nextBoolean()
                            ? new GradientPaint(0, 0, near, side, side, far)
                            : new GradientPaint(0, side, near, side, 0, far));
            graphics.fillRect(0, 0, side, side);
            graphics.setPaint(figure);
            graphics.fill(
                    new AffineTransform(cos, sin, -sin, cos, centerX, centerY).createTransformedShape(outline.shape()));
        } finally {
            graphics.dispose();
        }
        byte[] pixels = ((DataBufferByte) image.getRaster().getDataBuffer()).getData();
        for (int i = 0; i < pixels.length; i += 3) {
            byte blue = pixels[i];
            pixels[i] = pixels[i + 2];
            pixels[i + 2] = blue;
        }
        return pixels;
    }

    private static Color color(SplitMix random) {
        return new Color(random.nextInt(256), random.nextInt(256), random.nextInt(256));
    }

    /** A colour near another one. */
    private static Color shade(Color color, SplitMix random) {
        return new Color(near(color.getRed(), random), near(color.getGreen(), random), near(color.getBlue(), random));
    }

    private static int near(int value, SplitMix random) {
        return Math.clamp(value + random.nextInt(97) - 48, 0, 255);
    }

    /** Rec. 601 luma. */
    private static double luma(Color color) {
        return 0.299 * color.getRed() + 0.587 * color.getGreen() + 0.114 * color.getBlue();
    }

    /** Adds noise of triangular distribution in {@code (-amplitude, amplitude)} to every value. */
    private static void addNoise(byte[] rgb, double amplitude, SplitMix random) {
        for (int i = 0; i < rgb.length; i++) {
            long bits = random.nextLong();
            double triangular = ((bits >>> 40) - (bits & 0xFFFFFF)) * 0x1p-24;
            rgb[i] = (byte) Math.clamp(Math.round((rgb[i] & 255) + amplitude * triangular), 0, 255);
        }
    }

    @Override
    public String describe(int index) {
        return "shapes " + split + " image " + index + " (" + classNames().get(label(index)) + ")";
    }

    @Override
    public void close() {}
}
