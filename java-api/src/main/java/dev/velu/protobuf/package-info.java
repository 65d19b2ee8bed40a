/** Writing of protobuf messages whose definitions are small enough to need no generated classes: ONNX, TensorBoard's events. */
package dev.velu.protobuf;
