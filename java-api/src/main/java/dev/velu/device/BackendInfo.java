package dev.velu.device;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_backend_info;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What is known of the backend of one kind of device.
 *
 * @param libraries the libraries below it and their versions, compiled and loaded
 * @param reason why it is unavailable; empty if it is available
 */
public record BackendInfo(Device.Kind kind, boolean available, int deviceCount, String libraries, String reason) {
    /** Asks the native library, which loads the backend at the first question. */
    public static BackendInfo query(Device.Kind kind) {
        NativeLibrary.loadFor(kind);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = velu_backend_info.allocate(arena);
            NativeLibrary.check(VeluNative.velu_backend_query(kind.ordinal(), info), "velu_backend_query");
            return new BackendInfo(
                    kind,
                    velu_backend_info.available(info) != 0,
                    velu_backend_info.device_count(info),
                    velu_backend_info.libraries(info).getString(0),
                    velu_backend_info.reason(info).getString(0));
        }
    }

    /** Whether a library that the backend opens when it runs, e.g. {@code cuDNN}, was not found; {@link #libraries} says why. */
    public boolean lacks(String library) {
        return libraries.contains(library + " not found");
    }

    /** @throws VeluException if the backend of a device cannot be used; the message says why */
    static BackendInfo requireAvailable(Device device) {
        BackendInfo backend = query(device.kind());
        if (!backend.available()) {
            throw new VeluException(
                    Status.BACKEND_UNAVAILABLE, "device " + device + " is unavailable: " + backend.reason());
        }
        return backend;
    }
}
