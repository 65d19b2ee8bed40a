package dev.velu.trainer.bench;

import dev.velu.device.BackendInfo;
import dev.velu.device.Context;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import java.util.List;
import java.util.Locale;

/**
 * Where something was measured.
 *
 * @param processor its model
 * @param cores logical processors that this process may use
 * @param threads that did the work
 * @param isa vector instruction set of our kernels
 * @param libraries below ours, with versions
 */
public record Host(
        String processor, int cores, int threads, String isa, String system, String java, List<String> libraries) {
    /** The CPU with what a context on it uses. */
    public static Host of(Context context) {
        DeviceInfo device = DeviceInfo.query(Device.cpu());
        return new Host(
                device.name(),
                device.cores(),
                context.threads(),
                device.isa().name().toLowerCase(Locale.ROOT),
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"),
                System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")",
                BackendInfo.query(Device.Kind.CPU)
                        .libraries()
                        .lines()
                        .filter(line -> !line.isBlank())
                        .toList());
    }
}
