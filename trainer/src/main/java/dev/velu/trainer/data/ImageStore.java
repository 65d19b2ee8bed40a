package dev.velu.trainer.data;

import java.util.List;

/** Where the files of a set of class folders lie. Safe for use by many threads. */
sealed interface ImageStore extends AutoCloseable permits FolderStore, ZipStore {

    /** The specification: {@code folder:PATH} or {@code zip:PATH}. */
    String name();

    /** What to call it in a message: {@code folder 'PATH'} or {@code zip file 'PATH'}. */
    String title();

    /** The relative paths of all files, with {@code /} between their parts, in no particular order. */
    List<String> paths();

    /**
     * The content of one file.
     *
     * @throws CorruptImageException if it cannot be read
     */
    byte[] read(String path) throws CorruptImageException;

    /** What to call one file in a message. */
    String describe(String path);

    @Override
    void close();
}
