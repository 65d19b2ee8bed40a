package dev.velu.device;

import dev.velu.bindings.VeluNative;
import dev.velu.bindings.velu_device_info;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What is known of one device.
 *
 * @param memoryTotal bytes
 * @param memoryFree bytes
 * @param cores logical processors this process may use, or multiprocessors
 * @param isa best vector instruction set of a CPU ({@link Isa}), null on other devices
 * @param bfloat16 whether operations compute in BF16: any GPU, and a CPU with AVX512_BF16
 * @param computeCapability of a CUDA device, e.g. {@code 9.0}, null on other devices
 */
public record DeviceInfo(
        Device device,
        String name,
        long memoryTotal,
        long memoryFree,
        int cores,
        Isa isa,
        boolean bfloat16,
        String computeCapability) {
    /**
     * Asks the backend about a device.
     *
     * @throws VeluException if the backend is unavailable or has no such device; the message says why
     */
    public static DeviceInfo query(Device device) {
        BackendInfo backend = BackendInfo.requireAvailable(device);
        if (device.index() >= backend.deviceCount()) {
            throw new VeluException(
                    Status.INVALID_ARGUMENT,
                    "device " + device + " does not exist; " + backend.deviceCount() + " found");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = velu_device_info.allocate(arena);
            NativeLibrary.check(
                    VeluNative.velu_device_query(device.kind().ordinal(), device.index(), info), "velu_device_query");
            boolean cpu = device.kind() == Device.Kind.CPU;
            int level = velu_device_info.isa(info);
            return new DeviceInfo(
                    device,
                    velu_device_info.name(info).getString(0),
                    velu_device_info.memory_total(info),
                    velu_device_info.memory_free(info),
                    velu_device_info.cores(info),
                    cpu ? Isa.values()[level] : null,
                    (velu_device_info.dtypes(info) & 1 << VeluNative.VELU_DTYPE_BF16()) != 0,
                    cpu ? null : level / 10 + "." + level % 10);
        }
    }
}
