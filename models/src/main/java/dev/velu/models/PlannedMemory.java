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
 * @param gradients as large as the trainable values; 0 for inference
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

    public long total() {
        return parameters + gradients + optimizerState + packedParameters + temporaries + inputsAndResults + workspace;
    }

    /**
     * For training steps.
     *
     * @param context its scratch memory grows to the need
     */
    public static PlannedMemory training(NetworkSpec spec, int batch, OptimizerAlgorithm algorithm, Context context) {
        Network network = Network.build(spec, new Parameters(), batch, true, NormalizeImage.imageNet());
        TrainingGraph.training(network, 0);
        long trainable = network.parameters().trainableBytes();
        return of(network, trainable, trainable * algorithm.states(), context);
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
