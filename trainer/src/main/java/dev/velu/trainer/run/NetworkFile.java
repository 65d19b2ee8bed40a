package dev.velu.trainer.run;

import dev.velu.device.Context;
import dev.velu.models.CheckpointImport;
import dev.velu.models.Network;
import dev.velu.safetensors.SafeTensorsFile;
import dev.velu.safetensors.TensorFile;
import dev.velu.safetensors.TensorFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * An open file that a network is loaded from.
 *
 * @param description what network it is
 * @param named whether its classes have names, not only numbers
 */
record NetworkFile(TensorFile tensors, Checkpoint description, boolean named) implements AutoCloseable {
    /**
     * Opens a checkpoint of this trainer, or a network that it exported.
     *
     * @throws TensorFileException if it cannot be read
     * @throws RunException if it is something else
     */
    static NetworkFile checkpoint(Path path) throws TensorFileException {
        SafeTensorsFile file = SafeTensorsFile.open(path);
        boolean opened = false;
        try {
            NetworkFile network = new NetworkFile(file, Checkpoint.describe(file), Checkpoint.namesClasses(file));
            opened = true;
            return network;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    /**
     * Fills the network's parameters, all of them.
     *
     * @return what a person should know of it, line by line
     * @throws TensorFileException if the file does not fit or is damaged
     */
    List<String> load(Network network, Context context) throws TensorFileException {
        if (Checkpoint.isDescribed(tensors)) {
            Checkpoint.loadNetwork(tensors, network.parameters(), context);
            return List.of();
        }
        network.parameters().initialize(0);
        return CheckpointImport.of(tensors).into(network, context).lines();
    }

    @Override
    public void close() {
        tensors.close();
    }
}
