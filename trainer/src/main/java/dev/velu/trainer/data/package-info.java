/**
 * Data sets and the input pipeline.
 *
 * <p>What lives here: the data sets a run can name ({@link dev.velu.trainer.data.DatasetCatalog}: the drawn
 * {@code shapes}, published sets such as MNIST, CIFAR and SVHN in the formats of their authors, class folders, zip
 * archives), decoding of image files to 8-bit RGB, resizing and the pool of decode threads that fills a ring of off-heap
 * batches ({@link dev.velu.trainer.data.BatchPipeline}).
 *
 * <p>What does not: how published sets get onto this machine ({@link dev.velu.trainer.fetch}), normalization to float32
 * (a native operation on the batch; this package only says with which mean and standard deviation), devices, the
 * training loop and the command line. Nothing here needs more than the JDK, but for the MATLAB files of SVHN.
 *
 * <p>Everything random is a function of (seed, epoch, sample index), never of time or of the number of threads, so a
 * run can be repeated and an interrupted epoch continued in its middle.
 */
package dev.velu.trainer.data;
