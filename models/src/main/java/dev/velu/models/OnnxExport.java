package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Node;
import dev.velu.graph.Value;
import dev.velu.nn.Parameter;
import dev.velu.nn.ParameterFiles;
import dev.velu.nn.Parameters;
import dev.velu.onnx.OnnxGraph;
import dev.velu.op.NormalizeImage;
import dev.velu.safetensors.SafeTensorsWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a trained network as an ONNX model of standard operators, VeLU included.
 *
 * <p>Its input {@value #INPUT} is F32 {@code [N, 3, S, S]}, normalized as in training: {@code (pixel / 255 - mean) / std} for
 * each of the channels red, green and blue, with the constants in the model's metadata. Its output {@value #LOGITS} is F32
 * {@code [N, classes]}. N is open.
 */
public final class OnnxExport {
    /** Name of the model's input. */
    public static final String INPUT = "input";
    /** Name of the model's output. */
    public static final String LOGITS = "logits";

    private OnnxExport() {}

    /**
     * Writes a model.
     *
     * @param spec what the parameters were made for
     * @param parameters with memory on the context
     * @param normalization that of the training
     * @param metadata texts kept in the model beside those about the network
     * @param out stays open
     * @throws IOException if writing fails or the model is larger than an ONNX file can be
     */
    public static void write(
            NetworkSpec spec,
            Parameters parameters,
            NormalizeImage normalization,
            Context context,
            Map<String, String> metadata,
            OutputStream out)
            throws IOException {
        Network network = Network.build(float32(spec), parameters, 1, false, normalization);
        OnnxGraph onnx = new OnnxGraph(spec.architecture().label(), describe(spec, normalization, metadata));
        Map<String, SafeTensorsWriter.Entry> entries = new HashMap<>();
        ParameterFiles.entries(parameters, context).forEach(entry -> entries.put(entry.name(), entry));
        Value pixels = network.graph().inputs().getFirst();
        for (Node node : network.graph().nodes()) {
            if (node.input(0) == pixels) {
                onnx.input(INPUT, node.output(0));
            }
            for (Value input : node.inputs()) {
                Parameter parameter = input == null ? null : input.parameter();
                if (parameter != null && !onnx.knows(input)) {
                    onnx.parameter(
                            input,
                            parameter.fileShape().toArray(),
                            entries.get(parameter.name()).content()::writeTo);
                }
            }
        }
        onnx.addAll(network.graph());
        onnx.output(LOGITS, network.logits());
        onnx.write(out, version());
    }

    private static NetworkSpec float32(NetworkSpec spec) {
        return new NetworkSpec(
                spec.architecture(),
                spec.classes(),
                spec.size(),
                spec.activation(),
                spec.sites(),
                spec.head(),
                spec.w2Weight());
    }

    private static String version() {
        String version = OnnxExport.class.getPackage().getImplementationVersion();
        return version == null ? "" : version;
    }

    private static Map<String, String> describe(
            NetworkSpec spec, NormalizeImage normalization, Map<String, String> metadata) {
        Map<String, String> all = new LinkedHashMap<>(metadata);
        all.put("model", spec.architecture().label());
        all.put("activation", spec.headActivation().label());
        all.put("mean", text(normalization.mean()));
        all.put("std", text(normalization.std()));
        return all;
    }

    private static String text(List<Float> values) {
        return values.stream()
                .map(String::valueOf)
                .reduce((a, b) -> a + " " + b)
                .orElse("");
    }
}
