/**
 * The parameters and buffers of a network: names, initial distributions, the flat buffers they share, and their exchange with
 * files in torchvision's layout.
 *
 * <p>Layers and networks do not live here, nor does what updates parameters: see {@code dev.velu.optim}.
 */
package dev.velu.nn;
