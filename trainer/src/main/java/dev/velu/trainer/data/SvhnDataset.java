package dev.velu.trainer.data;

import dev.velu.trainer.data.DatasetCatalog.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import us.hebi.matlab.mat.format.BufferAllocator;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.types.MatFile;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Source;

/**
 * SVHN, cropped digits: a MATLAB file per split with the uint8 array X {@code [32, 32, 3, N]} (row, column, channel,
 * image; the first index varies fastest) and the labels y {@code [N, 1]} from 1 to 10, where 10 is the digit 0.
 */
final class SvhnDataset {

    private static final PixelLayout LAYOUT = PixelLayout.planesOfColumns(32, 32);
    private static final List<List<String>> NAMES = List.of(List.of("train_32x32.mat"), List.of("test_32x32.mat"));

    private SvhnDataset() {}

    /** @throws DataException if a file is missing or not as the format says */
    static DatasetPair open(Entry entry, Path dataDir) {
        SetFiles files = SetFiles.of(entry, dataDir);
        List<Path> found = files.find(NAMES);
        Dataset train = open(entry, files, found.get(0), "train");
        try {
            return new DatasetPair(train, open(entry, files, found.get(1), "eval"));
        } catch (RuntimeException e) {
            train.close();
            throw e;
        }
    }

    /** The file to train on and the one to evaluate on. */
    static List<Path> locate(Entry entry, Path dataDir) {
        return SetFiles.of(entry, dataDir).find(NAMES);
    }

    private static Dataset open(Entry entry, SetFiles files, Path path, String split) {
        MatFile mat = read(path, files);
        Matrix images = matrix(mat, "X", path, files);
        Matrix classes = matrix(mat, "y", path, files);
        int[] shape = images.getDimensions();
        if (images.getType() != MatlabType.UInt8
                || shape.length != 4
                || shape[0] != LAYOUT.height()
                || shape[1] != LAYOUT.width()
                || shape[2] != 3) {
            throw new DataException(QuotedName.of(path) + " has an array X of " + images.getType() + " "
                    + Arrays.toString(shape) + ", expected uint8 [32, 32, 3, N]: it is another file; "
                    + files.fetchAgain());
        }
        int count = shape[3];
        Labels.checkCount(count, path.toString(), classes.getNumElements(), path.toString(), files);
        byte[] labels = new byte[count];
        for (int i = 0; i < count; i++) {
            int label = classes.getInt(i);
            Labels.check(label, 1, entry, path.toString(), i, files);
            labels[i] = (byte) (label % 10);
        }
        Arena arena = Arena.ofShared();
        try {
            MemorySegment pixels = arena.allocate((long) count * LAYOUT.bytes());
            for (int i = 0; i < images.getNumElements(); i++) {
                pixels.set(ValueLayout.JAVA_BYTE, i, images.getByte(i));
            }
            RawImageDataset.Part part = new RawImageDataset.Part(path.toString(), pixels, 0, LAYOUT.bytes(), count);
            return new RawImageDataset(entry, split, LAYOUT, List.of(part), labels, arena);
        } catch (RuntimeException | OutOfMemoryError e) {
            arena.close();
            throw e;
        }
    }

    private static MatFile read(Path path, SetFiles files) {
        try (Source source = MatSource.open(path)) {
            return Mat5.newReader(source).setBufferAllocator(new OffHeap()).readMat();
        } catch (IOException | RuntimeException e) {
            // The library meets damage with whatever its arithmetic runs into.
            String reason = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            throw new DataException(
                    QuotedName.of(path) + " is not a complete MATLAB 5 file (" + QuotedName.printable(reason) + "); "
                            + files.fetchAgain(),
                    e);
        }
    }

    private static Matrix matrix(MatFile mat, String name, Path path, SetFiles files) {
        for (MatFile.Entry array : mat.getEntries()) {
            if (array.getName().equals(name) && array.getValue() instanceof Matrix matrix) {
                return matrix;
            }
        }
        throw new DataException(
                QuotedName.of(path) + " has no array " + name + ": it is another MATLAB file; " + files.fetchAgain());
    }

    /** A heap of the usual size has no room for the 225 MB of the training images beside a network. */
    private static final class OffHeap implements BufferAllocator {
        @Override
        public ByteBuffer allocate(int bytes) {
            return ByteBuffer.allocateDirect(bytes);
        }

        @Override
        public void release(ByteBuffer buffer) {}
    }
}
