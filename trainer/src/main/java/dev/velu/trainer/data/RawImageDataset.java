package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One split of a set whose images are bytes in memory or in mapped files, all of one size. */
final class RawImageDataset implements Dataset {

    private static final Logger LOG = LoggerFactory.getLogger(RawImageDataset.class);

    /**
     * The images of one file.
     *
     * @param file what to call it in a message
     * @param bytes the content
     * @param first where the pixels of its first image begin
     * @param stride bytes from image to image
     * @param count the number of its images
     */
    record Part(String file, MemorySegment bytes, long first, long stride, int count) {}

    private final Entry entry;
    private final String split;
    private final PixelLayout layout;
    private final List<Part> parts;
    private final byte[] labels;
    private final Arena arena;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * @param labels the class of every image of all parts, checked
     * @param arena what the parts lie in; closed with the set
     */
    RawImageDataset(Entry entry, String split, PixelLayout layout, List<Part> parts, byte[] labels, Arena arena) {
        this.entry = entry;
        this.split = split;
        this.layout = layout;
        this.parts = List.copyOf(parts);
        this.labels = labels;
        this.arena = arena;
        int published = split.equals("train") ? entry.trainCount() : entry.evalCount();
        if (labels.length != published) {
            LOG.warn(
                    "{} has {} {} images, {} are published: not the whole set",
                    parts.getFirst().file(),
                    labels.length,
                    split,
                    published);
        }
    }

    @Override
    public String name() {
        return entry.name();
    }

    @Override
    public String split() {
        return split;
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public List<String> classNames() {
        return entry.classNames();
    }

    @Override
    public Normalization normalization() {
        return entry.normalization();
    }

    @Override
    public boolean horizontalFlip() {
        return entry.horizontalFlip();
    }

    @Override
    public int label(int index) {
        return labels[index] & 255;
    }

    @Override
    public DecodedImage image(int index) {
        int inPart = Objects.checkIndex(index, labels.length);
        if (closed.get()) {
            throw new IllegalStateException("data set " + name() + " (" + split + ") is closed");
        }
        int at = 0;
        while (inPart >= parts.get(at).count()) {
            inPart -= parts.get(at++).count();
        }
        Part part = parts.get(at);
        return layout.image(part.bytes(), part.first() + inPart * part.stride());
    }

    @Override
    public String describe(int index) {
        int inPart = Objects.checkIndex(index, labels.length);
        int at = 0;
        while (inPart >= parts.get(at).count()) {
            inPart -= parts.get(at++).count();
        }
        return parts.get(at).file() + " image " + inPart;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            arena.close();
        }
    }
}
