package dev.velu.models;

import dev.velu.tensor.Shape;

/**
 * One line of a network's layer table.
 *
 * @param name torchvision's module path
 * @param type kind of module, e.g. {@code Conv2d}
 * @param operation the operation of {@code dev.velu.op} with its attributes, e.g. {@link dev.velu.op.Conv2d}; null for a stage
 * @param output shape of its output: {@code [N, H, W, C]}, {@code [N, T, C]} or {@code [N, C]}
 * @param parameters trainable values of its own, without VeLU's lambda
 * @param macs multiplications with an addition of one forward pass over the batch
 */
public record Layer(String name, String type, Record operation, Shape output, long parameters, long macs) {}
