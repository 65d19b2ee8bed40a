/**
 * Reading and writing of safetensors files: named tensors with a JSON header, checked whole before any of it is used.
 *
 * <p>What the names mean and how a network's parameters map to them does not live here.
 */
package dev.velu.safetensors;
