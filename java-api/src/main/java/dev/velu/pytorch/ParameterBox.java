package dev.velu.pytorch;

/**
 * A {@code torch.nn.Parameter} as the oldest files hold it: an object whose tensor may come after the object itself was put into
 * a dictionary.
 */
final class ParameterBox {
    /** Null until it is known. */
    StoredTensor tensor;

    ParameterBox(StoredTensor tensor) {
        this.tensor = tensor;
    }
}
