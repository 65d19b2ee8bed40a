package dev.velu.trainer.data;

/** What {@link BatchPipeline} does with an image that cannot be decoded. */
public enum CorruptImagePolicy {
    /** {@link BatchPipeline#next()} throws the {@link CorruptImageException} when the image's batch is due. */
    FAIL,
    /** The image is left out and counted. */
    SKIP
}
