package dev.velu.models;

import dev.velu.device.Context;
import dev.velu.graph.Plan;
import dev.velu.nn.Parameters;
import dev.velu.op.NormalizeImage;
import dev.velu.optim.OptimizerAlgorithm;

/**
 * Device memory that a network needs for one batch size, in bytes, planned without allocating it.
 *
 * @param parameters trainable values and buffers
 * @param gradients as large as the values that train, twice with accumulation; 0 for inference
 * @param optimizerState 0 for inference
 * @param packedParameters copies of weights as inference takes them; 0 for training
 * @param temporaries activations and their gradients, as the planner lays them out
 * @param inputsAndResults one batch of pixels and labels, on CUDA two more on their way; loss, counts, moments or logits
 * @param workspace scratch memory of the largest operation
 */
public record PlannedMemory(
        long parameters,
        long gradients,
        long optimizerState,
        long packedParameters,
        long temporaries,
        long inputsAndResults,
        long workspace) {

    /** All of it, in bytes. */
    public long total() {
        return parameters + gradients + optimizerState + packedParameters + temporaries + inputsAndResults + workspace;
    }

    /**
     * For training steps.
     *
     * @param context its scratch memory grows to the need
     */
    public static PlannedMemory training(NetworkSpec spec, int batch, OptimizerAlgorithm algorithm, Context context) {
        return training(spec, new Parameters(), batch, algorithm, StepOptions.of(0), context);
    }

    /**
     * For training steps of parameters of which some may be frozen. Accumulated gradients count as gradients; an average is not in it.
     *
     * @param parameters without memory; they are declared here
     * @param context its scratch memory grows to the need
     */
    public static PlannedMemory training(
            NetworkSpec spec,
            Parameters parameters,
            int batch,
            OptimizerAlgorithm algorithm,
            StepOptions options,
            Context context) {
        Network network = Network.build(spec, parameters, batch, true, NormalizeImage.imageNet());
        TrainingGraph.training(network, options);
        long trained = parameters.trainedBytes();
        return of(network, options.accumulation() > 1 ? 2 * trained : trained, trained * algorithm.states(), context);
    }

    /** For inference. */
    public static PlannedMemory inference(NetworkSpec spec, int batch, Context context) {
        Network network = Network.build(spec, new Parameters(), batch, false, NormalizeImage.imageNet());
        TrainingGraph.inference(network, context);
        return of(network, 0, 0, context);
    }

    private static PlannedMemory of(Network network, long gradients, long state, Context context) {
        Plan.Memory plan = Plan.memory(network.graph());
        return new PlannedMemory(
                network.parameters().trainableBytes() + network.parameters().bufferBytes(),
                gradients,
                state,
                plan.constants(),
                plan.temporaries(),
                plan.inputs() + StepPipeline.stagedBytes(network.graph(), context) + plan.results(),
                Plan.prepare(network.graph(), context));
    }
}
