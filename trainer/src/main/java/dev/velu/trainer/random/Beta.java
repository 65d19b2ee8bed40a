package dev.velu.trainer.random;

/** The beta distribution with two equal parameters, as mixup and cutmix draw shares from it. */
public final class Beta {
    private Beta() {}

    /**
     * Draws one number.
     *
     * @param alpha both parameters, positive: small ones give numbers near 0 and 1, 1 the uniform distribution, large ones halves
     * @return in [0, 1]
     */
    public static double draw(double alpha, SplitMix random) {
        double a = logGamma(alpha, random);
        double b = logGamma(alpha, random);
        // a / (a + b), by logarithms: for a small alpha both underflow.
        return 1 / (1 + StrictMath.exp(b - a));
    }

    /**
     * Logarithm of a number of the gamma distribution with this shape and scale 1 (Marsaglia and Tsang, "A Simple Method for
     * Generating Gamma Variables", 2000).
     */
    private static double logGamma(double shape, SplitMix random) {
        if (shape < 1) {
            return logGamma(shape + 1, random) + StrictMath.log(1 - random.nextDouble()) / shape;
        }
        double d = shape - 1.0 / 3;
        double c = 1 / Math.sqrt(9 * d);
        while (true) {
            double x = normal(random);
            double v = 1 + c * x;
            if (v <= 0) {
                continue;
            }
            v = v * v * v;
            double u = 1 - random.nextDouble();
            if (StrictMath.log(u) < 0.5 * x * x + d - d * v + d * StrictMath.log(v)) {
                return StrictMath.log(d * v);
            }
        }
    }

    /** Box and Muller, one of the two. */
    private static double normal(SplitMix random) {
        double radius = Math.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
        return radius * StrictMath.cos(2 * Math.PI * random.nextDouble());
    }
}
