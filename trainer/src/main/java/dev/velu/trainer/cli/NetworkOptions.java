package dev.velu.trainer.cli;

import dev.velu.trainer.run.RunConfiguration;
import picocli.CommandLine.Option;

/** Which network. Every option is named like the setting of {@link RunConfiguration} that it gives ({@link Settings}). */
final class NetworkOptions {
    private static final RunConfiguration DEFAULTS = RunConfiguration.defaults();

    @Option(
            names = "--model",
            paramLabel = "M",
            description = "The network: vgg19, vgg19_bn, resnet50, densenet121, mobilenet_v2, efficientnet_b3 or"
                    + " vit_b_16 (default: ${DEFAULT-VALUE}).")
    String model = DEFAULTS.model();

    @Option(
            names = "--activation",
            paramLabel = "A",
            description = "velu, relu, relu6, silu (Swish), gelu, or default for the one the network was published with"
                    + " (default: ${DEFAULT-VALUE}).")
    String activation = DEFAULTS.activation();

    @Option(
            names = "--sites",
            paramLabel = "all|head",
            description = "Where the activation is used: at every activation site, or in the head only"
                    + " (default: ${DEFAULT-VALUE}).")
    String sites = DEFAULTS.sites();

    @Option(
            names = "--head",
            paramLabel = "standard|paper",
            description =
                    "The classifier: the network's own, or the VeLU paper's: global average pool (of vit_b_16 the"
                            + " class token), linear 256, activation, linear 64, activation, linear (default: ${DEFAULT-VALUE}).")
    String head = DEFAULTS.head();
}
