/**
 * Devices and what runs on them: loading of the native library, what is known of backends and devices, and the execution context
 * with its memory, streams, events and recorded graphs.
 *
 * <p>Tensors and operations do not live here; nothing here knows a shape.
 */
package dev.velu.device;
