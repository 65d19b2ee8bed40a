/**
 * Files of named tensors: what all formats have in common ({@link dev.velu.safetensors.TensorFile}), and reading and writing of
 * safetensors files, with their JSON header checked whole before any of it is used.
 *
 * <p>What the names mean and how a network's parameters map to them does not live here, nor do PyTorch's files: see
 * {@code dev.velu.pytorch}.
 */
package dev.velu.safetensors;
