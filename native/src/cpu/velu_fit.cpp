#include "cpu/velu_fit.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace velu::cpu {

namespace {

// Largest errors of a fit with rounded coefficients, before the kernel's own rounding. They add to at most 1e-6 of the
// result, of which velu.h's accuracy leaves 2e-6 (y) and 4e-6 (dx); and the bias they leave in A is small beside what
// float32_moments_suffice() allows.
constexpr double kGateError = 1.5e-7;
constexpr double kSlopeError = 5e-7;

/// Coefficients of 1, t, t^2, ... of the polynomial through the Chebyshev points of [low, high].
template <size_t kTerms, class Function>
std::array<float, kTerms> fitted(double low, double high, const Function& f) {
    std::array<double, kTerms> node{}, newton{}, power{};
    for (size_t k = 0; k < kTerms; ++k) {
        const double angle = std::numbers::pi * (static_cast<double>(k) + 0.5) / static_cast<double>(kTerms);
        node[k] = 0.5 * (low + high) + 0.5 * (high - low) * std::cos(angle);
        newton[k] = f(node[k]);
    }
    for (size_t order = 1; order < kTerms; ++order) {
        for (size_t k = kTerms - 1; k >= order; --k) {
            newton[k] = (newton[k] - newton[k - 1]) / (node[k] - node[k - order]);
        }
    }
    for (size_t k = kTerms; k-- > 0;) {
        // power = power * (t - node[k]) + newton[k]
        for (size_t i = kTerms - 1; i > 0; --i) power[i] = power[i - 1] - power[i] * node[k];
        power[0] = newton[k] - power[0] * node[k];
    }
    std::array<float, kTerms> result{};
    for (size_t k = 0; k < kTerms; ++k) result[k] = static_cast<float>(power[k]);
    return result;
}

template <size_t kTerms>
double value_at(const std::array<float, kTerms>& terms, double t) {
    double sum = 0;
    for (size_t k = kTerms; k-- > 0;) sum = sum * t + static_cast<double>(terms[k]);
    return sum;
}

/// The gate's formulas at one |x|.
struct Gate {
    double below;  // sigmoid(-alpha m(|x|)), the gate of -|x|
    double above;  // 1 - below, that of |x|
    double slope;  // |x| dg/d|x|, times root inside the clip
};

class Formulas {
public:
    explicit Formulas(const VeluFit& fit)
        : alpha_(static_cast<double>(fit.alpha)),
          beta1_(static_cast<double>(fit.beta1)),
          beta2_(static_cast<double>(fit.beta2)) {}

    double beta() const { return std::fabs(beta2_); }

    /// At |x| = (1 - root^2) / beta inside the clip and (1 + root^2) / beta outside.
    Gate at_root(double root, bool inside) const {
        const double size = (inside ? 1 - root * root : 1 + root * root) / beta();
        const double asin =
            inside ? std::numbers::pi / 2 - 2 * std::asin(root * std::numbers::sqrt2 / 2) : std::numbers::pi / 2;
        const double sign = beta2_ < 0 ? -1 : 1;
        const double of_atan = beta1_ / (1 + beta1_ * beta1_ * size * size);
        const double of_asin = beta2_ / std::sqrt(1 + beta() * size);
        return at(size, sign * asin, inside ? of_atan * root + of_asin : of_atan);
    }

    /// At |x| = size with |beta2 x| < 1; the slope without a factor.
    Gate at_size(double size) const {
        const double u = beta2_ * size;
        return at(size, std::asin(u),
                  beta1_ / (1 + beta1_ * beta1_ * size * size) + beta2_ / std::sqrt((1 - u) * (1 + u)));
    }

private:
    Gate at(double size, double asin, double angle_slope) const {
        const double e = std::exp(alpha_ * (std::atan(beta1_ * size) + asin));
        const double below = 1 / (1 + e), above = e == INFINITY ? 1 : e / (1 + e);
        return {below, above, size * below * above * alpha_ * angle_slope};
    }

    double alpha_, beta1_, beta2_;
};

/// Fits the near way to |x| <= most and tells whether it is accurate there.
bool fit_near(const Formulas& formulas, double most, VeluFit& fit) {
    const auto gate = [&](double square) {
        const double size = std::sqrt(square);
        const Gate g = formulas.at_size(size);
        return 0.5 * (g.above - g.below) / size;
    };
    const auto slope = [&](double square) {
        const double size = std::sqrt(square);
        const Gate g = formulas.at_size(size);
        return (0.5 * (g.above - g.below) + g.slope) / size;
    };
    fit.near_gate = fitted<VeluFit::kNearGate>(0, most * most, gate);
    fit.near_slope = fitted<VeluFit::kNearSlope>(0, most * most, slope);
    constexpr int kChecks = 48;
    for (int check = 1; check <= kChecks; ++check) {
        const double size = most * check / kChecks;
        const Gate g = formulas.at_size(size);
        const double least = std::min(g.below, g.above);
        // 1/2 + x P is rounded with the error of a number of order 1/2.
        if (!(least >= 0.25)) return false;
        const double gate_error = std::fabs(0.5 + size * value_at(fit.near_gate, size * size) - g.above);
        const double slope_error = std::fabs(0.5 + size * value_at(fit.near_slope, size * size) - (g.above + g.slope));
        if (!(gate_error <= kGateError / 4 * least && slope_error <= kSlopeError / 4 * least)) return false;
    }
    return true;
}

/// The largest of some ranges on which the near way is accurate.
void fit_near(const Formulas& formulas, VeluFit& fit) {
    const double largest = std::max(std::fabs(static_cast<double>(fit.beta1)), formulas.beta());
    // Between these bounds no coefficient and no power leaves the range of float32.
    constexpr double kLeast = 0x1p-8, kMost = 0x1p9;
    double last = 0;
    for (double share = 0.8; share > 0.1; share -= 0.05) {
        const double most = std::min(share / largest, kMost);
        if (most < kLeast) break;
        if (most == last) continue;
        last = most;
        if (!fit_near(formulas, most, fit)) continue;
        fit.near_most = static_cast<float>(most * (1 - 1e-6));
        return;
    }
}

/// One side of the clip, inside or outside.
struct Side {
    bool inside;
    double scale;

    double root_at(double z) const { return std::fabs(z - 15.5) / scale; }
    /// Where x = 0, or the last piece outside ends.
    double most_z() const { return inside ? 15.5 + scale : 15.5; }
};

bool piece_is_accurate(const Formulas& formulas, const Side& side, double center,
                       const std::array<float, VeluFit::kPieceTerms>& gate,
                       const std::array<float, VeluFit::kPieceTerms>& slope) {
    constexpr int kChecks = 12;
    double least = 1;
    for (int check = 0; check <= kChecks; ++check) {
        const double t = std::min(-0.5 + static_cast<double>(check) / kChecks, side.most_z() - center);
        const double root = side.root_at(center + t);
        const Gate g = formulas.at_root(root, side.inside);
        const double smaller = std::min(g.below, g.above);
        const double gate_error = std::fabs(value_at(gate, t) - g.below);
        // The slope's table is divided by root, and then stands beside the gate.
        const double terms = std::fabs(g.slope) + smaller * (side.inside ? std::max(root, 0x1p-12) : 1.0);
        const double slope_error = std::fabs(value_at(slope, t) - g.slope);
        if (!(gate_error <= kGateError * smaller && slope_error <= kSlopeError * terms)) return false;
        least = std::min(least, smaller);
    }
    // What rounding makes of it: z has an error of up to 2^-20, and the gate one of its last places.
    constexpr double kMostOfRounding = 6e-7;
    return 0x1p-20 * std::fabs(static_cast<double>(gate[1])) <= kMostOfRounding * least &&
           0x1p-23 * std::fabs(static_cast<double>(gate[0])) <= kMostOfRounding * least;
}

/// Fits the pieces of one side and tells whether they are accurate.
bool fit_pieces(const Formulas& formulas, const Side& side, VeluFit& fit) {
    constexpr size_t kHalf = VeluFit::kPieces / 2;
    for (size_t piece = side.inside ? kHalf : 0; piece < (side.inside ? 2 * kHalf : kHalf); ++piece) {
        const auto center = static_cast<double>(piece);
        const auto gate_at = [&](double t) { return formulas.at_root(side.root_at(center + t), side.inside); };
        const auto gate = fitted<VeluFit::kPieceTerms>(-0.5, 0.5, [&](double t) { return gate_at(t).below; });
        const auto slope = fitted<VeluFit::kPieceTerms>(-0.5, 0.5, [&](double t) { return gate_at(t).slope; });
        if (!piece_is_accurate(formulas, side, center, gate, slope)) return false;
        for (size_t k = 0; k < VeluFit::kPieceTerms; ++k) {
            fit.piece_gate[k][piece] = gate[k];
            fit.piece_slope[k][piece] = slope[k];
        }
    }
    return true;
}

/// Both sides; outside as far as it goes.
void fit_pieces(const Formulas& formulas, VeluFit& fit) {
    // Elements are far from overflow, and beta |x| from underflow.
    if (!(formulas.beta() >= 0x1p-30 && formulas.beta() <= 0x1p30)) return;
    if (!fit_pieces(formulas, {true, static_cast<double>(VeluFit::kInnerScale)}, fit)) return;
    for (const double most_root : {4.0, 3.0, 2.0}) {
        fit.outer_scale = static_cast<float>(15.98 / most_root);
        if (!fit_pieces(formulas, {false, static_cast<double>(fit.outer_scale)}, fit)) continue;
        fit.beta = static_cast<float>(formulas.beta());
        fit.pieces_most = static_cast<float>((1 + most_root * most_root) / formulas.beta() * (1 - 1e-6));
        return;
    }
}

}  // namespace

VeluFit::VeluFit(const velu_velu_params& params) : alpha(params.alpha), beta1(params.beta1), beta2(params.beta2) {
    const Formulas formulas(*this);
    fit_near(formulas, *this);
    fit_pieces(formulas, *this);
}

const VeluFit& VeluFits::of(const velu_velu_params& params) {
    for (const auto& fit : fits_) {
        if (fit->alpha == params.alpha && fit->beta1 == params.beta1 && fit->beta2 == params.beta2) return *fit;
    }
    constexpr size_t kMost = 16;
    if (fits_.size() == kMost) fits_.clear();
    return *fits_.emplace_back(std::make_unique<VeluFit>(params));
}

}  // namespace velu::cpu
