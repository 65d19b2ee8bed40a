package dev.velu.trainer.cli;

import dev.velu.device.BackendInfo;
import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import dev.velu.device.NativeLibrary;
import dev.velu.trainer.cli.Table.Align;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code velu info}. */
@Command(
        name = "info",
        sortOptions = false,
        description = "Shows the devices, libraries and versions found, and why a backend is unavailable.",
        optionListHeading = "%nOptions%n",
        footerHeading = "%nExamples%n",
        footer = {"  velu info", "  velu info --json"})
final class InfoCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Spec
    CommandSpec spec;

    /** All that the command finds. */
    record Report(String version, Java java, String os, Native nativeLibrary, List<Backend> backends) {}

    record Java(String version, String vendor, String home) {}

    /** Reason is empty if the library is loaded; path and version are null if it is not. */
    record Native(boolean available, String path, String version, String reason) {}

    /** The libraries are one per entry: name, version and path, or why one was not found. */
    record Backend(String kind, boolean available, String reason, List<String> libraries, List<Found> devices) {}

    /**
     * Memory in bytes; bf16 tells whether {@code --precision bf16} runs on it; isa (of a CPU) and computeCapability (of a GPU)
     * are null where a device has none.
     */
    record Found(
            String device,
            String name,
            int cores,
            String isa,
            boolean bf16,
            String computeCapability,
            long memoryTotal,
            long memoryFree) {}

    @Override
    public Integer call() {
        Report report = report();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, report);
        } else {
            print(report, out);
        }
        if (!report.nativeLibrary().available()) {
            spec.commandLine()
                    .getErr()
                    .println("velu: "
                            + FailureMessage.oneLine(report.nativeLibrary().reason()));
            return Main.FAILED;
        }
        return Main.DONE;
    }

    private static Report report() {
        List<Backend> backends = new ArrayList<>();
        Native library;
        try {
            library = new Native(true, NativeLibrary.load().toString(), NativeLibrary.version(), "");
            for (Device.Kind kind : Device.Kind.values()) {
                backends.add(backend(kind));
            }
        } catch (UnsatisfiedLinkError e) {
            library = new Native(false, null, null, e.getMessage());
        }
        Java java = new Java(
                System.getProperty("java.version"), System.getProperty("java.vendor"), System.getProperty("java.home"));
        String os = String.join(
                " ", System.getProperty("os.name"), System.getProperty("os.version"), System.getProperty("os.arch"));
        return new Report(Version.number(), java, os, library, List.copyOf(backends));
    }

    private static Backend backend(Device.Kind kind) {
        BackendInfo info = BackendInfo.query(kind);
        List<Found> devices = new ArrayList<>();
        for (int i = 0; i < (info.available() ? info.deviceCount() : 0); i++) {
            DeviceInfo device = DeviceInfo.query(new Device(kind, i));
            devices.add(new Found(
                    device.device().toString(),
                    device.name(),
                    device.cores(),
                    device.isa() == null ? null : label(device.isa()),
                    device.bfloat16(),
                    device.computeCapability(),
                    device.memoryTotal(),
                    device.memoryFree()));
        }
        List<String> libraries =
                info.libraries().lines().filter(line -> !line.isBlank()).toList();
        return new Backend(label(kind), info.available(), info.reason(), libraries, devices);
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    private static void print(Report report, PrintWriter out) {
        Table table = new Table(Align.LEFT, Align.LEFT);
        table.row("velu", report.version());
        table.row(
                "java",
                report.java().version() + " (" + report.java().vendor() + "), "
                        + report.java().home());
        table.row("system", report.os());
        Native library = report.nativeLibrary();
        table.row("native library", library.available() ? library.version() + ", " + library.path() : "unavailable");
        for (Backend backend : report.backends()) {
            List<String> lines = new ArrayList<>(backend.libraries());
            if (!backend.available()) {
                lines.addFirst("unavailable: " + FailureMessage.oneLine(backend.reason()));
            }
            for (int i = 0; i < lines.size(); i++) {
                table.row(i == 0 ? backend.kind() : "", lines.get(i));
            }
            for (Found device : backend.devices()) {
                table.row("  " + device.device(), describe(device));
            }
        }
        table.print(out);
    }

    private static String describe(Found device) {
        return device.name() + ", " + device.cores()
                + (device.isa() == null ? " multiprocessors" : " cores, " + device.isa())
                + (device.bf16() ? ", bf16" : "")
                + (device.computeCapability() == null ? "" : ", compute capability " + device.computeCapability())
                + ", memory " + ByteCount.human(device.memoryTotal()) + " (" + ByteCount.human(device.memoryFree())
                + " free)";
    }
}
