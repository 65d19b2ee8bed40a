package dev.velu.trainer.data;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/** One split of a folder or zip archive of class folders. The store is closed with the last of its splits. */
final class ClassFolderDataset implements Dataset {

    private final Traits traits;
    private final ImageStore store;
    private final String split;
    private final List<String> classNames;
    private final ClassFolders.Split images;
    private final AtomicInteger openSplits;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * What the files do not say.
     *
     * @param name the specification that opened the set
     */
    record Traits(String name, Normalization normalization, boolean horizontalFlip) {

        static Traits of(DatasetCatalog.Entry entry) {
            return new Traits(entry.name(), entry.normalization(), entry.horizontalFlip());
        }
    }

    private ClassFolderDataset(
            Traits traits,
            ImageStore store,
            String split,
            List<String> classNames,
            ClassFolders.Split images,
            AtomicInteger openSplits) {
        this.traits = traits;
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
        return open(store, new Traits(store.name(), Normalization.IMAGENET, true), ClassFolders::of);
    }

    /**
     * Both splits of {@code store}, as {@code reader} sees its paths; if it is refused, it is closed.
     *
     * @throws DataException as {@code reader}
     */
    static DatasetPair open(ImageStore store, Traits traits, Function<ImageStore, ClassFolders> reader) {
        try {
            ClassFolders folders = reader.apply(store);
            AtomicInteger openSplits = new AtomicInteger(2);
            return new DatasetPair(
                    new ClassFolderDataset(traits, store, "train", folders.classNames(), folders.train(), openSplits),
                    new ClassFolderDataset(traits, store, "eval", folders.classNames(), folders.eval(), openSplits));
        } catch (RuntimeException e) {
            store.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return traits.name();
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
        return traits.normalization();
    }

    @Override
    public boolean horizontalFlip() {
        return traits.horizontalFlip();
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
