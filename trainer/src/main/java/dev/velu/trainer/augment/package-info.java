/**
 * Random changes of training images: crops, flips, RandAugment's operations, jitter of colours and erased rectangles, one image at a
 * time in the decode threads ({@link dev.velu.trainer.augment.Augmenter}), and mixup and cutmix over a whole batch ({@link
 * dev.velu.trainer.augment.BatchMix}).
 *
 * <p>Everything works on 8-bit RGB before normalization, and draws from the stream that it is given, so that the same (seed, epoch,
 * image) gives the same bytes. Names, ranges and rounding are those of torchvision's transforms on Pillow images. Scratch memory is
 * laid out once per thread; an image allocates nothing.
 */
package dev.velu.trainer.augment;
