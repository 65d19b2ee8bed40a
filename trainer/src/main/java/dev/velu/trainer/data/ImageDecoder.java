package dev.velu.trainer.data;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.ComponentSampleModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.io.EOFException;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStreamImpl;

/**
 * Decodes the bytes of an image file to 8-bit RGB through the JDK's ImageIO readers.
 *
 * <p>The format is told by the content, not by the name. Alpha is laid on white; 16-bit samples are rounded to 8 bits;
 * gray values are copied to the three channels as they are (not through Java's linear gray colour space, which would
 * brighten them); embedded colour profiles and EXIF orientation are not applied. Safe for use by many threads.
 */
final class ImageDecoder {

    /** More pixels than this are refused before decoding: a small file can claim to be an enormous image. */
    static final long MAX_PIXELS = 64L << 20;

    /** A longer file is not read. */
    static final int MAX_FILE_BYTES = 256 << 20;

    private enum Format {
        JPEG,
        PNG,
        GIF,
        BMP
    }

    /** Finding a reader costs more than decoding a small image, so every thread keeps its own. */
    private static final ThreadLocal<Map<Format, ImageReader>> READERS;

    static {
        HeadlessAwt.choose();
        READERS = ThreadLocal.withInitial(() -> new EnumMap<>(Format.class));
    }

    private ImageDecoder() {}

    /**
     * Decodes the first image in {@code bytes}.
     *
     * @param name what to call the image in a message
     * @throws CorruptImageException if the bytes are not a JPEG, PNG, GIF or BMP image that can be decoded completely
     */
    static DecodedImage decode(byte[] bytes, String name) throws CorruptImageException {
        Format format = format(bytes, name);
        if (format == Format.JPEG && jpegComponents(bytes) == 4) {
            // The JDK's reader would take some of these for RGB with alpha.
            throw new CorruptImageException(name, "JPEG of four components (CMYK) is not supported, convert it to RGB");
        }
        Map<Format, ImageReader> readers = READERS.get();
        ImageReader reader = readers.computeIfAbsent(format, ImageDecoder::newReader);
        boolean usable = false;
        try {
            DecodedImage image = decode(reader, bytes, name);
            usable = true;
            return image;
        } catch (CorruptImageException e) {
            throw e;
        } catch (EOFException e) {
            throw new CorruptImageException(name, "the " + format + " data ends too early", e);
        } catch (IOException | RuntimeException e) {
            // The readers meet broken data with many kinds of unchecked exceptions.
            throw new CorruptImageException(name, reason(format, e), e);
        } catch (OutOfMemoryError e) {
            throw new CorruptImageException(name, "decoding it needs more memory than Java has (-Xmx)", e);
        } finally {
            if (usable) {
                reader.setInput(null);
            } else {
                readers.remove(format);
                reader.dispose();
            }
        }
    }

    private static DecodedImage decode(ImageReader reader, byte[] bytes, String name) throws IOException {
        boolean[] truncated = new boolean[1];
        reader.removeAllIIOReadWarningListeners();
        // The JPEG reader fills what is missing from a truncated file with gray and only warns about it.
        reader.addIIOReadWarningListener((source, warning) -> {
            String text = warning.toLowerCase(Locale.ROOT);
            truncated[0] |= text.contains("truncated") || text.contains("premature end");
        });
        reader.setInput(new ByteArrayImageInput(bytes), true, true);
        int width = reader.getWidth(0);
        int height = reader.getHeight(0);
        if (width <= 0 || height <= 0) {
            throw new CorruptImageException(name, "its size " + width + " x " + height + " is not positive");
        }
        if ((long) width * height > MAX_PIXELS) {
            throw new CorruptImageException(
                    name, "its size " + width + " x " + height + " exceeds the limit of " + MAX_PIXELS + " pixels");
        }
        BufferedImage image = reader.read(0);
        if (truncated[0]) {
            throw new CorruptImageException(name, "the image data ends too early");
        }
        return toRgb(image);
    }

    private static Format format(byte[] bytes, String name) throws CorruptImageException {
        if (bytes.length == 0) {
            throw new CorruptImageException(name, "the file is empty");
        }
        if (startsWith(bytes, 0xFF, 0xD8, 0xFF)) {
            return Format.JPEG;
        }
        if (startsWith(bytes, 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n')) {
            return Format.PNG;
        }
        if (startsWith(bytes, 'G', 'I', 'F', '8')) {
            return Format.GIF;
        }
        if (startsWith(bytes, 'B', 'M')) {
            return Format.BMP;
        }
        throw new CorruptImageException(name, "its content is not a JPEG, PNG, BMP or GIF image");
    }

    private static boolean startsWith(byte[] bytes, int... magic) {
        if (bytes.length < magic.length) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if ((bytes[i] & 255) != magic[i]) {
                return false;
            }
        }
        return true;
    }

    private static ImageReader newReader(Format format) {
        Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format.name());
        if (!readers.hasNext()) {
            throw new DataException("this Java runtime has no reader for " + format
                    + " images; use a JDK that includes the module java.desktop");
        }
        return readers.next();
    }

    private static String reason(Format format, Exception e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof EOFException) {
                return "the " + format + " data ends too early";
            }
        }
        String detail = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return "the " + format + " data is damaged (" + detail.strip() + ")";
    }

    /** The number of colour components in the frame header of a JPEG file (ITU T.81, B.2.2), or 0 if none is found. */
    private static int jpegComponents(byte[] bytes) {
        int at = 2;
        while (at + 9 < bytes.length && (bytes[at] & 255) == 0xFF) {
            int marker = bytes[at + 1] & 255;
            boolean frameHeader =
                    marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
            if (frameHeader) {
                return bytes[at + 9] & 255;
            }
            at += 2 + ((bytes[at + 2] & 255) << 8 | (bytes[at + 3] & 255));
        }
        return 0;
    }

    private static DecodedImage toRgb(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(width, height))];
        ColorModel colors = image.getColorModel();
        if (!copyBytes(image.getRaster(), rgb)) {
            if (colors instanceof ComponentColorModel && isIntegral(image.getRaster())) {
                copySamples(image, rgb);
            } else {
                copyColors(image, rgb);
            }
        }
        return new DecodedImage(width, height, rgb);
    }

    /** The common case, three interleaved bytes per pixel in any order: true if the raster is of this kind. */
    private static boolean copyBytes(Raster raster, byte[] rgb) {
        if (!(raster.getSampleModel() instanceof PixelInterleavedSampleModel model)
                || !(raster.getDataBuffer() instanceof DataBufferByte buffer)
                || model.getNumBands() != 3
                || model.getPixelStride() != 3
                || buffer.getNumBanks() != 1
                || buffer.getOffset() != 0
                || raster.getSampleModelTranslateX() != 0
                || raster.getSampleModelTranslateY() != 0) {
            return false;
        }
        byte[] data = buffer.getData();
        int[] band = model.getBandOffsets();
        int out = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            int in = y * model.getScanlineStride();
            for (int x = 0; x < raster.getWidth(); x++, in += 3, out += 3) {
                rgb[out] = data[in + band[0]];
                rgb[out + 1] = data[in + band[1]];
                rgb[out + 2] = data[in + band[2]];
            }
        }
        return true;
    }

    private static boolean isIntegral(Raster raster) {
        int type = raster.getSampleModel().getDataType();
        return raster.getSampleModel() instanceof ComponentSampleModel
                && (type == DataBuffer.TYPE_BYTE || type == DataBuffer.TYPE_USHORT)
                && raster.getNumBands() <= 4;
    }

    /** Gray or RGB samples of 8 or 16 bits, with or without alpha as the last band. */
    private static void copySamples(BufferedImage image, byte[] rgb) {
        Raster raster = image.getRaster();
        ColorModel colors = image.getColorModel();
        int width = image.getWidth();
        int bands = raster.getNumBands();
        boolean alpha = colors.getTransparency() != Transparency.OPAQUE && colors.hasAlpha();
        boolean premultiplied = colors.isAlphaPremultiplied();
        boolean gray = colors.getColorSpace().getType() == ColorSpace.TYPE_GRAY;
        int max = (1 << colors.getComponentSize(0)) - 1;
        int[] samples = new int[width * bands];
        int out = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            raster.getPixels(0, y, width, 1, samples);
            for (int x = 0; x < width; x++, out += 3) {
                int in = x * bands;
                int opacity = alpha ? samples[in + bands - 1] : max;
                for (int c = 0; c < 3; c++) {
                    int value = samples[gray ? in : in + c];
                    rgb[out + c] = onWhite(value, opacity, max, premultiplied);
                }
            }
        }
    }

    /** Palettes and packed pixels, which Java converts to sRGB exactly. */
    private static void copyColors(BufferedImage image, byte[] rgb) {
        int width = image.getWidth();
        boolean alpha = image.getColorModel().hasAlpha();
        int[] argb = new int[width];
        int out = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            image.getRGB(0, y, width, 1, argb, 0, width);
            for (int x = 0; x < width; x++, out += 3) {
                int opacity = alpha ? argb[x] >>> 24 : 255;
                rgb[out] = onWhite(argb[x] >> 16 & 255, opacity, 255, false);
                rgb[out + 1] = onWhite(argb[x] >> 8 & 255, opacity, 255, false);
                rgb[out + 2] = onWhite(argb[x] & 255, opacity, 255, false);
            }
        }
    }

    /** A sample in {@code [0, max]} over white, rounded to {@code [0, 255]}. */
    private static byte onWhite(int value, int opacity, int max, boolean premultiplied) {
        if (opacity == max && max == 255) {
            return (byte) value;
        }
        long weighted = premultiplied ? (long) value * max : (long) value * opacity;
        long blended = weighted + (long) max * (max - opacity);
        long scale = (long) max * max;
        return (byte) Math.min((blended * 255 + scale / 2) / scale, 255);
    }

    /** An array as ImageIO wants it: the JDK's own memory stream would copy it block by block. */
    private static final class ByteArrayImageInput extends ImageInputStreamImpl {

        private final byte[] bytes;

        ByteArrayImageInput(byte[] bytes) {
            this.bytes = bytes;
        }

        @Override
        public int read() {
            bitOffset = 0;
            return streamPos < bytes.length ? bytes[(int) streamPos++] & 255 : -1;
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            bitOffset = 0;
            if (length == 0) {
                return 0;
            }
            if (streamPos >= bytes.length) {
                return -1;
            }
            int n = (int) Math.min(length, bytes.length - streamPos);
            System.arraycopy(bytes, (int) streamPos, target, offset, n);
            streamPos += n;
            return n;
        }

        @Override
        public long length() {
            return bytes.length;
        }
    }
}
