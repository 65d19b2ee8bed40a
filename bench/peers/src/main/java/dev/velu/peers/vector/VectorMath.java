package dev.velu.peers.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Functions of float32 vectors, each within a few units in the last place. */
final class VectorMath {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    private static final float HALF_PI = 1.57079637f;
    private static final float LOG2_E = 1.44269502f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding it to a float below 2^22 rounds that to an integer, which then stands in the low bits. */
    private static final float ROUND = 0x1.8p23f;

    private VectorMath() {}

    static FloatVector all(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    /** A vector of a row of channels that begins at {@code begin}; 0 past its end. */
    static FloatVector load(float[] x, int begin, int c, int channels) {
        return c + SPECIES.length() <= channels
                ? FloatVector.fromArray(SPECIES, x, begin + c)
                : FloatVector.fromArray(SPECIES, x, begin + c, SPECIES.indexInRange(c, channels));
    }

    /** {@code d(x g)/dx = g + x g (1 - g) s} for {@code g = sigmoid(z)} and {@code s = dz/dx}. */
    static FloatVector gatedSlope(FloatVector x, FloatVector g, FloatVector s) {
        return g.mul(all(1).sub(g)).mul(x).fma(s, g);
    }

    /** {@code 1/2 + x P(x^2)} with five coefficients of P, from the constant term on. */
    static FloatVector halfPlusOdd(float[] p, FloatVector x) {
        FloatVector w = x.mul(x);
        FloatVector value = all(p[4]).fma(w, all(p[3]));
        value = value.fma(w, all(p[2])).fma(w, all(p[1])).fma(w, all(p[0]));
        return value.fma(x, all(0.5f));
    }

    /** Beyond |t| = 1 by {@code pi/2 - atan(1/t)}; then a minimax polynomial. */
    static FloatVector atan(FloatVector t) {
        FloatVector size = t.abs();
        FloatVector one = all(1);
        VectorMask<Float> far = size.compare(VectorOperators.GT, one);
        FloatVector r = size.blend(one, far).div(one.blend(size, far));
        FloatVector w = r.mul(r);
        FloatVector p = all(-1.793620293e-03f).fma(w, all(1.091459859e-02f));
        p = p.fma(w, all(-3.117783181e-02f)).fma(w, all(5.795757845e-02f));
        p = p.fma(w, all(-8.403449506e-02f)).fma(w, all(1.095218509e-01f));
        p = p.fma(w, all(-1.426424086e-01f)).fma(w, all(1.999854892e-01f));
        p = p.fma(w, all(-3.333329856e-01f));
        FloatVector angle = p.mul(w).fma(r, r);
        return withSignOf(angle.blend(all(HALF_PI).sub(angle), far), t);
    }

    /** asin(clip(u, -1, 1)): beyond |u| = 1/2 by {@code pi/2 - 2 asin(sqrt((1 - |u|) / 2))}; then a minimax polynomial. */
    static FloatVector clippedAsin(FloatVector u) {
        FloatVector size = u.abs();
        FloatVector half = all(0.5f);
        VectorMask<Float> steep = size.compare(VectorOperators.GT, half);
        VectorMask<Float> outside = size.compare(VectorOperators.GE, all(1));
        FloatVector w = size.mul(size).blend(half.sub(size.mul(half)), steep);
        FloatVector r = size.blend(w.sqrt(), steep);
        FloatVector p = all(4.217824340e-02f).fma(w, all(2.417294309e-02f));
        p = p.fma(w, all(4.547160864e-02f)).fma(w, all(7.495288551e-02f));
        p = p.fma(w, all(1.666675210e-01f));
        FloatVector angle = p.mul(w).fma(r, r);
        FloatVector quarter = all(HALF_PI);
        return withSignOf(angle.blend(quarter.sub(angle.add(angle)), steep).blend(quarter, outside), u);
    }

    /** {@code 1 / (1 + e^-z)} for |z| < 87. */
    static FloatVector sigmoid(FloatVector z) {
        FloatVector one = all(1);
        return one.div(exp(z.neg()).add(one));
    }

    /** e^z for |z| < 87. */
    static FloatVector exp(FloatVector z) {
        FloatVector one = all(1);
        FloatVector rounded = z.fma(all(LOG2_E), all(ROUND));
        FloatVector n = rounded.sub(all(ROUND));
        FloatVector r = n.fma(all(-LN2_HIGH), z);
        r = n.fma(all(-LN2_LOW), r);
        FloatVector p = all(1.38888889e-3f).fma(r, all(8.33333333e-3f));
        p = p.fma(r, all(4.16666667e-2f)).fma(r, all(1.66666667e-1f));
        p = p.fma(r, all(0.5f)).fma(r, one).fma(r, one);
        IntVector exponent = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
    }

    private static FloatVector withSignOf(FloatVector magnitude, FloatVector sign) {
        IntVector bits = sign.reinterpretAsInts().and(0x80000000);
        return magnitude.reinterpretAsInts().or(bits).reinterpretAsFloats();
    }
}
