package dev.velu.trainer.data;

import java.nio.file.Path;

/** Decodes single image files, outside any data set. */
public final class ImageLoader {

    private ImageLoader() {}

    /**
     * Reads a JPEG, PNG, BMP or GIF file (first frame), whatever its name ends in. Transparency is laid on white,
     * gray becomes RGB; embedded colour profiles and EXIF orientation are not applied.
     *
     * @throws CorruptImageException if the file is missing, unreadable, too large, or not an image
     */
    public static DecodedImage read(Path file) throws CorruptImageException {
        return ImageDecoder.decode(FolderStore.readFile(file), file.toString());
    }

    /**
     * Decodes the bytes of an image file, as {@link #read} does.
     *
     * @param name what to call the image in a message
     * @throws CorruptImageException if they are not an image
     */
    public static DecodedImage decode(byte[] bytes, String name) throws CorruptImageException {
        return ImageDecoder.decode(bytes, name);
    }
}
