package dev.velu.trainer.cli;

import dev.velu.device.ContextOptions;
import dev.velu.device.Device;
import dev.velu.models.NetworkSpec.Precision;
import picocli.CommandLine.Model.CommandSpec;

/**
 * What a network is computed on and how precisely, known to fit together.
 *
 * @param tf32 whether TF32 was asked for; without effect on the CPU
 */
record Machine(Device device, Precision precision, boolean tf32) {
    /**
     * From the values of the options; says on stderr if {@code --tf32} has no effect.
     *
     * @throws picocli.CommandLine.ParameterException if a name is unknown or the device does not compute in the precision
     */
    static Machine of(CommandSpec spec, String device, String precision, boolean tf32) {
        Machine machine = WrongUsage.unless(spec, () -> {
            Precision asked = Precision.named(precision);
            Device on = Device.parse(device);
            asked.requireOn(on);
            return new Machine(on, asked, tf32);
        });
        if (tf32) {
            machine.sayIfTf32HasNoEffect(spec);
        }
        return machine;
    }

    /** @param threads as in {@link ContextOptions} */
    ContextOptions options(int threads) {
        return ContextOptions.defaults().withThreads(threads).withTf32(tf32);
    }

    private void sayIfTf32HasNoEffect(CommandSpec spec) {
        if (device.kind() == Device.Kind.CPU) {
            spec.commandLine().getErr().println("velu: --tf32 has no effect on device " + device);
        } else if (precision != Precision.FP32) {
            spec.commandLine().getErr().println("velu: --tf32 has no effect with --precision " + precision.label());
        }
    }
}
