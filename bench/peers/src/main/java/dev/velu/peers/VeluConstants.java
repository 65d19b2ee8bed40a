package dev.velu.peers;

/**
 * The constants of VeLU.
 *
 * @param statistic {@code inverse_rms} or {@code std}
 * @param scaleMin null without a clamp, as is scaleMax
 */
public record VeluConstants(
        double alpha,
        double beta1,
        double beta2,
        double gamma,
        double mu,
        double eps,
        String statistic,
        Double scaleMin,
        Double scaleMax) {}
