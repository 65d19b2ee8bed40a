// The ways to x g and d(x g)/dx of a vector of elements: by one polynomial near 0, by tabulated pieces, and by the
// formulas of math/velu_math.h. To be included by files of isa/ only, after VELU_ISA_NAMESPACE is known.
#pragma once

#include <array>
#include <cstdint>

#include "cpu/isa/velu_kernels.h"
#include "math/simd.h"
#include "math/velu_math.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;

#define VELU_SWEEP __attribute__((always_inline))

/// x g and d(x g)/dx.
struct Gated {
    V value, slope;
};

enum class WayName : uint8_t { kNear, kPieces, kFull };

class NearWay {
public:
    explicit NearWay(const VeluConstants& constants) : fit_(*constants.fit) {}

    VELU_SWEEP V gated(V x) const { return x * mul_add(x, polynomial(fit_.near_gate, x * x), V(0.5f)); }

    VELU_SWEEP Gated gated_and_slope(V x) const {
        const V square = x * x;
        return {x * mul_add(x, polynomial(fit_.near_gate, square), V(0.5f)),
                mul_add(x, polynomial(fit_.near_slope, square), V(0.5f))};
    }

private:
    template <size_t kTerms>
    VELU_SWEEP static V polynomial(const std::array<float, kTerms>& terms, V square) {
        V sum(terms[kTerms - 1]);
        for (size_t k = kTerms - 1; k-- > 0;) sum = mul_add(sum, square, V(terms[k]));
        return sum;
    }

    const VeluFit& fit_;
};

class FullWay {
public:
    explicit FullWay(const VeluConstants& constants)
        : k_{constants.params.alpha, constants.params.beta1, constants.params.beta2} {}

    VELU_SWEEP V gated(V x) const { return x * gate(k_, angle(element(k_, x))).value; }

    VELU_SWEEP Gated gated_and_slope(V x) const {
        const math::Element<V> e = element(k_, x);
        const math::Gate<V> g = gate(k_, angle(e));
        // x m' is at most of order 1 near 0 and 2896 at the clip: nothing overflows before the gate's slope is in.
        return {x * g.value, g.value + x * angle_slope(k_, e) * g.slope * k_.alpha};
    }

private:
    math::GateConstants<V> k_;
};

/// For vectors with a table.
template <class Vector>
class PiecesWay {
public:
    static constexpr bool kAvailable = false;
};

template <class Vector>
requires requires {
    typename Vector::Table;
}
class PiecesWay<Vector> {
public:
    static constexpr bool kAvailable = true;

    explicit PiecesWay(const VeluConstants& constants) : constants_(constants), fit_(*constants.fit) {}

    VELU_SWEEP Vector gated(Vector x) const {
        const Place at = place(x);
        return value(x, at.size, looked_up(fit_.piece_gate, at.piece, at.z - at.center));
    }

    VELU_SWEEP Gated gated_and_slope(Vector x) const {
        const Place at = place(x);
        if (!all(at.root >= Vector(0x1p-12f))) return next_to_the_clip(constants_, x);
        const Vector one(1.0f), t = at.z - at.center;
        const Vector below = looked_up(fit_.piece_gate, at.piece, t);
        const Vector factor = select(at.inside, one / at.root, one);
        const Vector of_negative = below - looked_up(fit_.piece_slope, at.piece, t) * factor;
        return {value(x, at.size, below), select(x > Vector(0.0f), one - of_negative, of_negative)};
    }

private:
    struct Place {
        typename Vector::Mask inside;
        Vector size, root, z, piece, center;
    };

    VELU_SWEEP Place place(Vector x) const {
        constexpr float kUnitsInTheLastPlaceAreOne = 12582912.0f;  // 1.5 * 2^23; its low bits are 0
        const Vector size = abs(x);
        const Vector below = fused_mul_add(Vector(-fit_.beta), size, Vector(1.0f));
        const Vector root = sqrt(abs(below));
        const auto inside = below > Vector(0.0f);
        const Vector z = mul_add(root, select(inside, Vector(fit_.kInnerScale), Vector(-fit_.outer_scale)),
                                 select(inside, Vector(fit_.kInnerOffset), Vector(fit_.kOuterOffset)));
        const Vector piece = z + Vector(kUnitsInTheLastPlaceAreOne);
        return {inside, size, root, z, piece, piece - Vector(kUnitsInTheLastPlaceAreOne)};
    }

    VELU_SWEEP static Vector looked_up(const VeluFit::Pieces& pieces, Vector piece, Vector t) {
        const auto term = [&](size_t k) VELU_SWEEP { return typename Vector::Table(pieces[k].data())[piece]; };
        Vector sum = term(VeluFit::kPieceTerms - 1);
        for (size_t k = VeluFit::kPieceTerms - 1; k-- > 0;) sum = mul_add(sum, t, term(k));
        return sum;
    }

    /// Where (1 - beta x) (1 + beta x) may be below its floor of 2^-23: one element in a million.
    __attribute__((noinline, cold)) static Gated next_to_the_clip(const VeluConstants& constants, Vector x) {
        return FullWay(constants).gated_and_slope(x);
    }

    /// x g from the gate of -|x|.
    VELU_SWEEP static Vector value(Vector x, Vector size, Vector below) {
        return mul_add(-size, below, max(x, Vector(0.0f)));
    }

    const VeluConstants& constants_;
    const VeluFit& fit_;
};

/// body(way) with the way of that name.
template <class Body>
VELU_SWEEP inline void with_way(WayName name, const VeluConstants& constants, const Body& body) {
    if (name == WayName::kNear) return body(NearWay(constants));
    if constexpr (PiecesWay<V>::kAvailable) {
        if (name == WayName::kPieces) return body(PiecesWay<V>(constants));
    }
    body(FullWay(constants));
}

}  // namespace
}  // namespace velu::cpu::VELU_ISA_NAMESPACE
