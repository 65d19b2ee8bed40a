package dev.velu.trainer.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {

    private static BufferedImage noise(int width, int height) {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        Random random = new Random(1);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, random.nextInt(1 << 24));
            }
        }
        return image;
    }

    private static byte[] decode(BufferedImage image, String format) throws CorruptImageException {
        return ImageDecoder.decode(SampleFiles.encode(image, format), "image").rgb();
    }

    private static void assertCorrupt(byte[] bytes, String... fragments) {
        assertThatThrownBy(() -> ImageDecoder.decode(bytes, "dir/broken.jpg"))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("dir/broken.jpg")
                .hasMessageContaining("replace or remove it")
                .hasMessageContainingAll(fragments);
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "bmp"})
    void losslessFormatsKeepEveryPixel(String format) throws CorruptImageException {
        BufferedImage image = noise(7, 5);
        byte[] rgb = decode(image, format);
        for (int i = 0; i < 35; i++) {
            int pixel = (rgb[3 * i] & 255) << 16 | (rgb[3 * i + 1] & 255) << 8 | rgb[3 * i + 2] & 255;
            assertThat(pixel).isEqualTo(image.getRGB(i % 7, i / 7) & 0xFFFFFF);
        }
    }

    @Test
    void jpegComesCloseToItsColour() throws CorruptImageException {
        byte[] rgb = decode(SampleFiles.plain(16, 16, 0xC86432), "jpg");
        assertThat(rgb[0] & 255).isCloseTo(200, within(3));
        assertThat(rgb[1] & 255).isCloseTo(100, within(3));
        assertThat(rgb[2] & 255).isCloseTo(50, within(3));
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "bmp"})
    void grayIsCopiedToThreeChannelsUnchanged(String format) throws CorruptImageException {
        BufferedImage gray = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY);
        Arrays.fill(((DataBufferByte) gray.getRaster().getDataBuffer()).getData(), (byte) 77);
        assertThat(decode(gray, format)).hasSize(192).containsOnly(77);
    }

    @Test
    void gray16IsRoundedToEightBits() throws CorruptImageException {
        BufferedImage gray = new BufferedImage(2, 1, BufferedImage.TYPE_USHORT_GRAY);
        gray.getRaster().setSample(0, 0, 0, 257 * 90 + 120);
        gray.getRaster().setSample(1, 0, 0, 65535);
        assertThat(decode(gray, "png")).containsExactly(90, 90, 90, 255, 255, 255);
    }

    @Test
    void alphaIsLaidOnWhite() throws CorruptImageException {
        BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x00123456);
        image.setRGB(1, 0, 0x80FF0000);
        image.setRGB(2, 0, 0xFF0A0B0C);
        assertThat(decode(image, "png")).containsExactly(255, 255, 255, 255, 127, 127, 10, 11, 12);
    }

    @Test
    void paletteWithATransparentColourIsLaidOnWhite() throws CorruptImageException {
        byte[] red = {(byte) 200, 0, 10};
        byte[] green = {0, (byte) 100, 20};
        byte[] blue = {0, 0, 30};
        IndexColorModel palette = new IndexColorModel(2, 3, red, green, blue, 2);
        BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_BYTE_INDEXED, palette);
        image.getRaster().setPixels(0, 0, 3, 1, new int[] {0, 1, 2});
        assertThat(decode(image, "png")).containsExactly(200, 0, 0, 0, 100, 0, 255, 255, 255);
    }

    @Test
    void oneBitImageIsBlackAndWhite() throws CorruptImageException {
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY);
        image.setRGB(1, 0, 0xFFFFFFFF);
        assertThat(decode(image, "png")).containsExactly(0, 0, 0, 255, 255, 255);
    }

    @Test
    void textIsNoImage() {
        assertCorrupt(SampleFiles.TEXT, "not a JPEG, PNG, BMP or GIF");
    }

    @Test
    void emptyFileIsNoImage() {
        assertCorrupt(new byte[0], "empty");
    }

    @ParameterizedTest
    @ValueSource(strings = {"jpg", "png", "bmp", "gif"})
    void truncationIsReportedAtEveryTenthOfTheFile(String format) {
        byte[] whole = SampleFiles.encode(noise(40, 40), format);
        for (int tenth = 1; tenth < 10; tenth++) {
            assertCorrupt(Arrays.copyOf(whole, whole.length * tenth / 10), "");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"jpg", "png", "bmp", "gif"})
    void randomDamageNeverThrowsAnythingElse(String format) {
        byte[] whole = SampleFiles.encode(noise(24, 24), format);
        Random random = new Random(7);
        for (int i = 0; i < 300; i++) {
            byte[] damaged = whole.clone();
            for (int k = 0; k < 5; k++) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            try {
                ImageDecoder.decode(damaged, "damaged");
            } catch (CorruptImageException e) {
                assertThat(e).hasMessageContaining("damaged");
            }
        }
    }

    @Test
    void aCorruptImageDoesNotSpoilTheNext() throws CorruptImageException {
        byte[] good = SampleFiles.encode(SampleFiles.plain(16, 16, 0x404040), "jpg");
        assertCorrupt(Arrays.copyOf(good, good.length - 10), "ends too early");
        assertThat(ImageDecoder.decode(good, "good").rgb()).containsOnly(0x40);
    }

    @Test
    void enormousSizeIsRefusedBeforeDecoding() {
        byte[] png = SampleFiles.png(0);
        ByteBuffer.wrap(png).putInt(16, 50_000).putInt(20, 50_000);
        CRC32 crc = new CRC32();
        crc.update(png, 12, 17);
        ByteBuffer.wrap(png).putInt(29, (int) crc.getValue());
        assertCorrupt(png, "50000 x 50000", "limit of 67108864 pixels");
    }

    @Test
    void cmykJpegIsNamedAsSuch() throws IOException {
        WritableRaster raster = Raster.createInterleavedRaster(0, 8, 8, 4, null);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        try (ImageOutputStream stream = ImageIO.createImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.write(null, new IIOImage(raster, null, null), null);
        } finally {
            writer.dispose();
        }
        assertCorrupt(out.toByteArray(), "CMYK", "convert it to RGB");
    }

    @Test
    void loaderReadsAFile(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("x.dat"), SampleFiles.png(0x102030));
        assertThat(ImageLoader.read(file).rgb()).startsWith(0x10, 0x20, 0x30);
    }

    @Test
    void loaderNamesAMissingFileAndAFolder(@TempDir Path folder) {
        assertThatThrownBy(() -> ImageLoader.read(folder.resolve("none.png")))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContainingAll("none.png", "does not exist");
        assertThatThrownBy(() -> ImageLoader.read(folder))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("it is a folder");
    }
}
