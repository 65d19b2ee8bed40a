package dev.velu.pytorch;

import java.lang.foreign.MemorySegment;

/** Where the description and the data of a file of {@code torch.save} lie. */
sealed interface Container permits ZipContainer, LegacyContainer {
    /** What was saved, as {@link Unpickler#read} gives it. */
    Object root();

    /**
     * Whether a block of data is there and as large as its description says.
     *
     * @throws PyTorchException if not
     */
    void check(Storage block) throws PyTorchException;

    /** The bytes of a block of data that was checked, little-endian. */
    MemorySegment data(Storage block) throws PyTorchException;
}
