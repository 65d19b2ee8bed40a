/**
 * Reading of the files of {@code torch.save}: the zip form and the older one, with an unpickler that makes nothing but
 * dictionaries, numbers, texts and tensors. Nothing in such a file is trusted and nothing in it is ever run.
 *
 * <p>What the tensors' names mean and how a network's parameters map to them does not live here.
 */
package dev.velu.pytorch;
