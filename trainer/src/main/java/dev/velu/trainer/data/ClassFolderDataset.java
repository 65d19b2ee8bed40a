package dev.velu.trainer.data;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** One split of a folder or zip archive of class folders. The store is closed with the last of its splits. */
final class ClassFolderDataset implements Dataset {

    private final ImageStore store;
    private final String split;
    private final List<String> classNames;
    private final ClassFolders.Split images;
    private final AtomicInteger openSplits;
    private final AtomicBoolean closed = new AtomicBoolean();

    private ClassFolderDataset(
            ImageStore store,
            String split,
            List<String> classNames,
            ClassFolders.Split images,
            AtomicInteger openSplits) {
        this.store = store;
        this.split = split;
        this.classNames = classNames;
        this.images = images;
        this.openSplits = openSplits;
    }

    /**
     * Both splits of {@code store}, which they own from now on; if it is refused, it is closed.
     *
     * @throws DataException as {@link ClassFolders#of}
     */
    static DatasetPair open(ImageStore store) {
        try {
            ClassFolders folders = ClassFolders.of(store);
            AtomicInteger openSplits = new AtomicInteger(2);
            return new DatasetPair(
                    new ClassFolderDataset(store, "train", folders.classNames(), folders.train(), openSplits),
                    new ClassFolderDataset(store, "eval", folders.classNames(), folders.eval(), openSplits));
        } catch (RuntimeException e) {
            store.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return store.name();
    }

    @Override
    public String split() {
        return split;
    }

    @Override
    public int size() {
        return images.labels().length;
    }

    @Override
    public List<String> classNames() {
        return classNames;
    }

    @Override
    public Normalization normalization() {
        return Normalization.IMAGENET;
    }

    @Override
    public boolean horizontalFlip() {
        return true;
    }

    @Override
    public int label(int index) {
        return images.labels()[index];
    }

    @Override
    public DecodedImage image(int index) throws CorruptImageException {
        if (closed.get()) {
            throw new IllegalStateException("data set " + name() + " (" + split + ") is closed");
        }
        String path = images.paths()[index];
        return ImageDecoder.decode(store.read(path), store.describe(path));
    }

    @Override
    public String describe(int index) {
        return store.describe(images.paths()[index]);
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true) && openSplits.decrementAndGet() == 0) {
            store.close();
        }
    }
}
