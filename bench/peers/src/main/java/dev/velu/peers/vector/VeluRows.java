package dev.velu.peers.vector;

import static dev.velu.peers.vector.VectorMath.SPECIES;
import static dev.velu.peers.vector.VectorMath.all;

import dev.velu.peers.VeluConstants;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The steps of VeLU over a block of rows, with the memory they need; one per thread.
 *
 * <p>Where a whole row is small, the gate is one odd polynomial in x that was fitted to the constants in advance; elsewhere it is
 * made of atan, asin and exp. Every step is a method and a loop of its own: HotSpot inlines a limited number of vector operations
 * into one method and keeps vectors in objects past that, ten times slower. So these methods must stay apart, which takes {@code
 * -XX:CompileCommand=dontinline,dev.velu.peers.vector.VeluRows::*}.
 */
final class VeluRows {
    private static final int LANES = SPECIES.length();
    private static final int TERMS = 5;
    /** Absolute error of a fitted polynomial: that of float32's rounding, about. */
    private static final double TOLERANCE = 1e-7;

    private final float alpha;
    private final float beta1;
    private final float beta2;
    private final float gamma;
    private final float mu;
    private final float eps;
    /** Largest |x| of a row that the polynomials serve; 0 if they serve none. */
    private final float reach;
    /** {@code g(x) = 1/2 + x P(x^2)}. */
    private final float[] gatePolynomial = new float[TERMS];
    /** {@code d(x g(x))/dx = 1/2 + x Q(x^2)}. */
    private final float[] slopePolynomial = new float[TERMS];

    // ---- Of each row of the block
    /** The adaptive scale a. */
    private final float[] scale;
    /** {@code (da/ds) (ds/dx) / x}. */
    private final float[] scaleSlope;
    /** Whether the polynomials serve it. */
    private final boolean[] small;

    // ---- Of the row being computed
    private final float[] gate;
    /** {@code alpha dm/dx}, where m is the angle that the gate is the sigmoid of. */
    private final float[] angleSlope;

    // ---- Of the block, by lanes
    /** Sum of {@code A - shift}. */
    private final float[] deviations = new float[LANES];
    /** Sum of its squares. */
    private final float[] squares = new float[LANES];
    /** Sum of {@code dy A}. */
    private final float[] dlambda = new float[LANES];

    /** The Wasserstein-2 term's part of dA: {@code offset + slope A}. */
    record W2(float offset, float slope) {}

    VeluRows(VeluConstants constants, int rows, int channels) {
        alpha = (float) constants.alpha();
        beta1 = (float) constants.beta1();
        beta2 = (float) constants.beta2();
        gamma = (float) constants.gamma();
        mu = (float) constants.mu();
        eps = (float) constants.eps();
        reach = fit();
        scale = new float[padded(rows)];
        scaleSlope = new float[padded(rows)];
        small = new boolean[rows];
        gate = new float[padded(channels)];
        angleSlope = new float[padded(channels)];
    }

    private static int padded(int count) {
        return Math.ceilDiv(count, LANES) * LANES;
    }

    /** Fits the polynomials to the widest range that they can serve, and returns its end. */
    private float fit() {
        double steepest = Math.max(Math.abs(beta1), Math.abs(beta2));
        for (int percent = 90; steepest > 0 && percent >= 20; percent -= 5) {
            double bound = percent / (100 * steepest);
            OddPolynomial p = OddPolynomial.fit(this::gate, bound, TERMS);
            OddPolynomial q = OddPolynomial.fit(this::gatedSlope, bound, TERMS);
            if (Math.max(p.error(), q.error()) <= TOLERANCE) {
                for (int i = 0; i < TERMS; i++) {
                    gatePolynomial[i] = (float) p.coefficients()[i];
                    slopePolynomial[i] = (float) q.coefficients()[i];
                }
                return (float) bound;
            }
        }
        return 0;
    }

    /** g(x) in float64. */
    private double gate(double x) {
        double angle = Math.atan(beta1 * x) + Math.asin(Math.clamp(beta2 * x, -1, 1));
        return 1 / (1 + Math.exp(-alpha * angle));
    }

    /** {@code d(x g(x))/dx} in float64, inside the clip. */
    private double gatedSlope(double x) {
        double g = gate(x);
        double t = beta1 * x;
        double u = beta2 * x;
        return g + x * g * (1 - g) * alpha * (beta1 / (1 + t * t) + beta2 / Math.sqrt((1 - u) * (1 + u)));
    }

    // ---- The block

    /** y of a block of rows. */
    Sums forward(float[] x, float lambda, float[] y, int first, int rows, int channels) {
        statistics(x, first, rows, channels);
        // Deviations from one of the elements: sums of squares of A itself would cancel.
        float x0 = x[first * channels];
        float shift = (float) (x0 * gate(x0) * scale[0]);
        Arrays.fill(deviations, 0);
        Arrays.fill(squares, 0);
        for (int row = 0; row < rows; row++) {
            int begin = (first + row) * channels;
            if (small[row]) {
                applySmall(x, lambda, y, begin, channels, scale[row], shift);
            } else {
                gates(x, begin, channels);
                apply(x, lambda, y, begin, channels, scale[row], shift);
            }
        }
        double count = (double) rows * channels;
        double sum = sum(deviations);
        return new Sums(count, shift + sum / count, Math.max(0, sum(squares) - sum * sum / count));
    }

    /**
     * dx of a block of rows.
     *
     * @return sum of {@code dy A}
     */
    double backward(float[] x, float[] dy, float lambda, W2 w2, float[] dx, int first, int rows, int channels) {
        statistics(x, first, rows, channels);
        Arrays.fill(dlambda, 0);
        for (int row = 0; row < rows; row++) {
            int begin = (first + row) * channels;
            float throughScale;
            if (small[row]) {
                throughScale = differentiateSmall(x, dy, lambda, w2, dx, begin, channels, scale[row]);
            } else {
                gates(x, begin, channels);
                angleSlopes(x, begin, channels);
                throughScale = differentiate(x, dy, lambda, w2, dx, begin, channels, scale[row]);
            }
            addTimes(throughScale * scaleSlope[row], x, dx, begin, channels);
        }
        return sum(dlambda);
    }

    private static double sum(float[] lanes) {
        double sum = 0;
        for (float lane : lanes) {
            sum += lane;
        }
        return sum;
    }

    // ---- Statistics

    private void statistics(float[] x, int first, int rows, int channels) {
        for (int row = 0; row < rows; row++) {
            square(x, (first + row) * channels, channels, row);
        }
        scales(rows, channels);
    }

    /** The sum of squares of a row, and whether the row is small. */
    private void square(float[] x, int begin, int channels, int row) {
        FloatVector sum = FloatVector.zero(SPECIES);
        FloatVector limit = all(reach);
        VectorMask<Float> over = SPECIES.maskAll(false);
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            sum = v.fma(v, sum);
            over = over.or(v.abs().compare(VectorOperators.GT, limit));
        }
        if (whole < channels) {
            FloatVector v = VectorMath.load(x, begin, whole, channels);
            sum = v.fma(v, sum);
            over = over.or(v.abs().compare(VectorOperators.GT, limit));
        }
        scale[row] = sum.reduceLanes(VectorOperators.ADD);
        small[row] = !over.anyTrue();
    }

    /** The adaptive scale of every row from its sum of squares, and its slope. */
    private void scales(int rows, int channels) {
        FloatVector one = all(1);
        for (int row = 0; row < rows; row += LANES) {
            FloatVector mean = FloatVector.fromArray(SPECIES, scale, row).div(all(channels));
            FloatVector s = one.div(mean.add(all(eps)).sqrt());
            // tanh(v) = (1 - e) / (1 + e) with e = exp(-2 |v|); s > 0, so the sign is that of mu.
            FloatVector e = VectorMath.exp(s.mul(all(-2 * Math.abs(mu))).max(all(-80)));
            FloatVector inverse = one.div(e.add(one));
            one.sub(e)
                    .mul(inverse)
                    .fma(all(Math.copySign(gamma, gamma * mu)), one)
                    .intoArray(scale, row);
            // gamma mu (1 - tanh^2) with 1 - tanh^2 = 4 e / (1 + e)^2, times ds/dx = -s^3 x / C.
            FloatVector slope = e.mul(inverse).mul(inverse).mul(all(-4 * gamma * mu / channels));
            slope.mul(s.mul(s).mul(s)).intoArray(scaleSlope, row);
        }
    }

    // ---- A row that the polynomials serve

    /** y, and the sums of A - shift. */
    private void applySmall(float[] x, float lambda, float[] y, int begin, int channels, float a, float shift) {
        FloatVector deviation = FloatVector.fromArray(SPECIES, deviations, 0);
        FloatVector square = FloatVector.fromArray(SPECIES, squares, 0);
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            FloatVector activation =
                    VectorMath.halfPlusOdd(gatePolynomial, v).mul(v).mul(all(a));
            activation.mul(all(lambda)).intoArray(y, begin + c);
            FloatVector difference = activation.sub(all(shift));
            deviation = deviation.add(difference);
            square = difference.fma(difference, square);
        }
        if (whole < channels) {
            VectorMask<Float> rest = SPECIES.indexInRange(whole, channels);
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + whole, rest);
            FloatVector activation =
                    VectorMath.halfPlusOdd(gatePolynomial, v).mul(v).mul(all(a));
            activation.mul(all(lambda)).intoArray(y, begin + whole, rest);
            FloatVector difference = FloatVector.zero(SPECIES).blend(activation.sub(all(shift)), rest);
            deviation = deviation.add(difference);
            square = difference.fma(difference, square);
        }
        deviation.intoArray(deviations, 0);
        square.intoArray(squares, 0);
    }

    /** dx but for what flows through the adaptive scale, and the sum of dy A; returns dL/da. */
    private float differentiateSmall(
            float[] x, float[] dy, float lambda, W2 w2, float[] dx, int begin, int channels, float a) {
        FloatVector throughScale = FloatVector.zero(SPECIES);
        FloatVector throughLambda = FloatVector.fromArray(SPECIES, dlambda, 0);
        FloatVector offset = all(w2.offset);
        FloatVector perActivation = all(w2.slope);
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            FloatVector upstream = FloatVector.fromArray(SPECIES, dy, begin + c);
            FloatVector gated = VectorMath.halfPlusOdd(gatePolynomial, v).mul(v);
            FloatVector activation = gated.mul(all(a));
            FloatVector dA = upstream.fma(all(lambda), activation.fma(perActivation, offset));
            dA.mul(all(a)).mul(VectorMath.halfPlusOdd(slopePolynomial, v)).intoArray(dx, begin + c);
            throughScale = dA.fma(gated, throughScale);
            throughLambda = upstream.fma(activation, throughLambda);
        }
        if (whole < channels) {
            VectorMask<Float> rest = SPECIES.indexInRange(whole, channels);
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + whole, rest);
            FloatVector upstream = FloatVector.fromArray(SPECIES, dy, begin + whole, rest);
            FloatVector gated = VectorMath.halfPlusOdd(gatePolynomial, v).mul(v);
            FloatVector activation = gated.mul(all(a));
            FloatVector dA = upstream.fma(all(lambda), activation.fma(perActivation, offset));
            dA.mul(all(a)).mul(VectorMath.halfPlusOdd(slopePolynomial, v)).intoArray(dx, begin + whole, rest);
            throughScale = dA.fma(gated, throughScale);
            throughLambda = upstream.fma(activation, throughLambda);
        }
        throughLambda.intoArray(dlambda, 0);
        return throughScale.reduceLanes(VectorOperators.ADD);
    }

    // ---- Any row

    /** The gate of a row. */
    private void gates(float[] x, int begin, int channels) {
        atans(x, begin, channels);
        addAsins(x, begin, channels);
        sigmoids(channels);
    }

    private void atans(float[] x, int begin, int channels) {
        for (int c = 0; c < channels; c += LANES) {
            VectorMath.atan(VectorMath.load(x, begin, c, channels).mul(all(beta1)))
                    .intoArray(gate, c);
        }
    }

    private void addAsins(float[] x, int begin, int channels) {
        for (int c = 0; c < channels; c += LANES) {
            FloatVector ofAsin = VectorMath.clippedAsin(
                    VectorMath.load(x, begin, c, channels).mul(all(beta2)));
            FloatVector.fromArray(SPECIES, gate, c).add(ofAsin).intoArray(gate, c);
        }
    }

    private void sigmoids(int channels) {
        for (int c = 0; c < channels; c += LANES) {
            VectorMath.sigmoid(FloatVector.fromArray(SPECIES, gate, c).mul(all(alpha)))
                    .intoArray(gate, c);
        }
    }

    /** {@code alpha (beta1 / (1 + t^2) + beta2 / sqrt(1 - u^2))} of a row; the last part is 0 outside the clip. */
    private void angleSlopes(float[] x, int begin, int channels) {
        FloatVector one = all(1);
        FloatVector floor = all(0x1p-23f);
        for (int c = 0; c < channels; c += LANES) {
            FloatVector v = VectorMath.load(x, begin, c, channels);
            FloatVector t = v.mul(all(beta1));
            FloatVector ofAtan = all(alpha * beta1).div(t.fma(t, one));
            FloatVector below = v.fma(all(-beta2), one);
            FloatVector above = v.fma(all(beta2), one);
            VectorMask<Float> inside = below.compare(VectorOperators.GT, 0).and(above.compare(VectorOperators.GT, 0));
            FloatVector product = below.mul(above);
            product = product.blend(floor, product.compare(VectorOperators.LT, floor));
            FloatVector ofAsin = all(alpha * beta2).div(product.sqrt());
            ofAtan.blend(ofAtan.add(ofAsin), inside).intoArray(angleSlope, c);
        }
    }

    /** As {@link #applySmall}, from the gate. */
    private void apply(float[] x, float lambda, float[] y, int begin, int channels, float a, float shift) {
        FloatVector deviation = FloatVector.fromArray(SPECIES, deviations, 0);
        FloatVector square = FloatVector.fromArray(SPECIES, squares, 0);
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            FloatVector activation =
                    FloatVector.fromArray(SPECIES, gate, c).mul(v).mul(all(a));
            activation.mul(all(lambda)).intoArray(y, begin + c);
            FloatVector difference = activation.sub(all(shift));
            deviation = deviation.add(difference);
            square = difference.fma(difference, square);
        }
        if (whole < channels) {
            VectorMask<Float> rest = SPECIES.indexInRange(whole, channels);
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + whole, rest);
            FloatVector activation =
                    FloatVector.fromArray(SPECIES, gate, whole).mul(v).mul(all(a));
            activation.mul(all(lambda)).intoArray(y, begin + whole, rest);
            FloatVector difference = FloatVector.zero(SPECIES).blend(activation.sub(all(shift)), rest);
            deviation = deviation.add(difference);
            square = difference.fma(difference, square);
        }
        deviation.intoArray(deviations, 0);
        square.intoArray(squares, 0);
    }

    /** As {@link #differentiateSmall}, from the gate and its angle's slope. */
    private float differentiate(
            float[] x, float[] dy, float lambda, W2 w2, float[] dx, int begin, int channels, float a) {
        FloatVector throughScale = FloatVector.zero(SPECIES);
        FloatVector throughLambda = FloatVector.fromArray(SPECIES, dlambda, 0);
        FloatVector offset = all(w2.offset);
        FloatVector perActivation = all(w2.slope);
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            FloatVector upstream = FloatVector.fromArray(SPECIES, dy, begin + c);
            FloatVector g = FloatVector.fromArray(SPECIES, gate, c);
            FloatVector gated = g.mul(v);
            FloatVector activation = gated.mul(all(a));
            FloatVector dA = upstream.fma(all(lambda), activation.fma(perActivation, offset));
            dA.mul(all(a))
                    .mul(VectorMath.gatedSlope(v, g, FloatVector.fromArray(SPECIES, angleSlope, c)))
                    .intoArray(dx, begin + c);
            throughScale = dA.fma(gated, throughScale);
            throughLambda = upstream.fma(activation, throughLambda);
        }
        if (whole < channels) {
            VectorMask<Float> rest = SPECIES.indexInRange(whole, channels);
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + whole, rest);
            FloatVector upstream = FloatVector.fromArray(SPECIES, dy, begin + whole, rest);
            FloatVector g = FloatVector.fromArray(SPECIES, gate, whole);
            FloatVector gated = g.mul(v);
            FloatVector activation = gated.mul(all(a));
            FloatVector dA = upstream.fma(all(lambda), activation.fma(perActivation, offset));
            dA.mul(all(a))
                    .mul(VectorMath.gatedSlope(v, g, FloatVector.fromArray(SPECIES, angleSlope, whole)))
                    .intoArray(dx, begin + whole, rest);
            throughScale = dA.fma(gated, throughScale);
            throughLambda = upstream.fma(activation, throughLambda);
        }
        throughLambda.intoArray(dlambda, 0);
        return throughScale.reduceLanes(VectorOperators.ADD);
    }

    /** {@code dx += factor x} over a row. */
    private static void addTimes(float factor, float[] x, float[] dx, int begin, int channels) {
        int whole = SPECIES.loopBound(channels);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, begin + c);
            v.fma(all(factor), FloatVector.fromArray(SPECIES, dx, begin + c)).intoArray(dx, begin + c);
        }
        for (int c = whole; c < channels; c++) {
            dx[begin + c] = Math.fma(x[begin + c], factor, dx[begin + c]);
        }
    }
}
