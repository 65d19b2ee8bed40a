package dev.velu.trainer.report;

import dev.velu.trainer.data.DecodedImage;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * A small picture of an image.
 *
 * @param width in pixels
 * @param height in pixels
 * @param png the picture
 */
record Thumbnail(int width, int height, byte[] png) {
    /** Larger images are cut to their centre and reduced to this width and height, in pixels. */
    static final int LARGEST = 96;

    private static final String ADDRESS = "data:image/png;base64,";

    /** A picture of an image; the same size if that is small. */
    static Thumbnail of(DecodedImage image) {
        boolean small = image.width() <= LARGEST && image.height() <= LARGEST;
        DecodedImage shown = small ? image : image.toSquare(LARGEST);
        BufferedImage picture = new BufferedImage(shown.width(), shown.height(), BufferedImage.TYPE_INT_RGB);
        byte[] rgb = shown.rgb();
        for (int i = 0; i < shown.width() * shown.height(); i++) {
            int color = (rgb[3 * i] & 0xff) << 16 | (rgb[3 * i + 1] & 0xff) << 8 | rgb[3 * i + 2] & 0xff;
            picture.setRGB(i % shown.width(), i / shown.width(), color);
        }
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(png)) {
            if (!ImageIO.write(picture, "png", out)) {
                throw new IllegalStateException("this Java runtime writes no PNG");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return new Thumbnail(shown.width(), shown.height(), png.toByteArray());
    }

    /** The picture of an address that contains one. */
    static byte[] png(String dataAddress) {
        return Base64.getDecoder().decode(dataAddress.substring(ADDRESS.length()));
    }

    /** The picture as an address that contains it. */
    String dataAddress() {
        return ADDRESS + Base64.getEncoder().encodeToString(png);
    }
}
