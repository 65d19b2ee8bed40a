/**
 * Networks as ONNX models: {@link dev.velu.onnx.OnnxGraph} collects standard ONNX operators, which every operation adds for
 * itself, and writes them as a file.
 *
 * <p>What an operation looks like in ONNX does not live here but beside the operation, in {@code dev.velu.op}.
 */
package dev.velu.onnx;
