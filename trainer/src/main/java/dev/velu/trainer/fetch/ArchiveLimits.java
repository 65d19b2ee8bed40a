package dev.velu.trainer.fetch;

/**
 * What an archive may hold at most. Images hardly shrink, so that one that grows a hundredfold is no data set.
 *
 * @param entries files and folders
 * @param bytes bytes of all files together
 * @param ratio bytes of files per byte of the archive
 * @param freeBytes bytes that are allowed whatever the ratio
 */
record ArchiveLimits(long entries, long bytes, long ratio, long freeBytes) {

    /** A million entries, 32 GiB, a hundred times the size of the archive. */
    static ArchiveLimits defaults() {
        return new ArchiveLimits(1_000_000, 32L << 30, 100, 64L << 20);
    }
}
