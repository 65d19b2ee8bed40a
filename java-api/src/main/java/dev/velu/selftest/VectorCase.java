package dev.velu.selftest;

import dev.velu.op.VeluParameters;

/**
 * One case of a file of VeLU reference vectors: inputs in float32, results in float64.
 *
 * @param x {@code [rows, channels]}, as are dy, y, dx and dxMagnitude
 * @param w2Weight weight of W2 in the loss whose gradients dx and dlambda are
 */
record VectorCase(
        String name,
        int rows,
        int channels,
        VeluParameters parameters,
        float lambda,
        float w2Weight,
        float[] x,
        float[] dy,
        double[] y,
        double mean,
        double std,
        double w2,
        double[] dx,
        double[] dxMagnitude,
        double dlambda,
        double dlambdaMagnitude) {}
