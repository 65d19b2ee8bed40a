package dev.velu.models;

import dev.velu.tensor.Shape;

/**
 * A place in a network where an activation function is applied.
 *
 * @param path torchvision's module path, e.g. {@code layer1.0.relu}
 * @param call how often that module ran before in the same pass: torchvision uses one module for several sites
 * @param shape {@code [N, H, W, C]}, {@code [N, T, C]} or {@code [N, C]}
 * @param activation label of the function used there
 */
public record ActivationSite(String path, int call, Shape shape, String activation) {}
