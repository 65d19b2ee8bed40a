package dev.velu.pytorch;

import dev.velu.safetensors.ElementType;

/**
 * A tensor's memory as the pickled description names it: a run of elements of a block of data that several tensors may share.
 *
 * @param key the block's name in the file
 * @param blockElements elements of the whole block
 * @param first the run's first element in the block
 * @param elements elements of the run
 */
record Storage(String key, ElementType dtype, long blockElements, long first, long elements) {}
