/**
 * The networks: each architecture in a file of its own, under torchvision's names of modules and parameters; their classifiers; the
 * tables that describe a network; and its training and inference steps, planned ahead.
 *
 * <p>Data sets, the training loop and checkpoints do not live here.
 */
package dev.velu.models;
