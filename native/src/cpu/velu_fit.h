// Polynomials for the gate of one VeLU, fitted in float64 when its parameters are first seen, so that a kernel needs
// neither an arc tangent nor an arc sine nor an exponential. What does not reach the accuracy is not offered: every fit
// is compared with the formulas of velu.h over its whole range before it is used.
#pragma once

#include <velu/velu.h>

#include <array>
#include <memory>
#include <vector>

namespace velu::cpu {

struct VeluFit {
    float alpha, beta1, beta2;

    // The near way, one polynomial for |x| <= near_most (none if that is negative):
    //     g = 1/2 + x near_gate(x^2)          d(x g)/dx = 1/2 + x near_slope(x^2)
    static constexpr int kNearGate = 5;
    static constexpr int kNearSlope = 6;
    float near_most = -1;
    std::array<float, kNearGate> near_gate{};  // of 1, x^2, x^4, ...
    std::array<float, kNearSlope> near_slope{};

    // The way by pieces, for |x| <= pieces_most (none if that is negative). At the clip asin has an edge like a square
    // root's; in root = sqrt(|1 - beta |x||), with beta = |beta2|, both sides of it are smooth. The place
    //     z = inner_offset + inner_scale root  inside the clip, where 1 - beta |x| > 0
    //     z = outer_offset - outer_scale root  outside
    // has piece i = 0 .. 31 around z = i, of which 16 and up are inside. With t = z - i
    //     sigmoid(-alpha m(|x|)) = sum_k piece_gate[k][i] t^k
    //     |x| dg/d|x|            = sum_k piece_slope[k][i] t^k, divided by root inside the clip
    static constexpr int kPieces = 32;
    static constexpr int kPieceTerms = 6;
    using Pieces = std::array<std::array<float, kPieces>, kPieceTerms>;
    static constexpr float kInnerOffset = 15.5f;             // ties to even: root = 0 is in piece 16
    static constexpr float kOuterOffset = 15.5f - 0x1p-20f;  // the next float32 below: in piece 15
    static constexpr float kInnerScale = 15.99f;             // keeps root = 1 in piece 31
    float pieces_most = -1;
    float beta = 0;
    float outer_scale = 0;
    alignas(64) Pieces piece_gate{}, piece_slope{};

    explicit VeluFit(const velu_velu_params& params);
};

/// The fits of a context: a network has one or a few sets of parameters.
class VeluFits {
public:
    /// Valid until the next call.
    const VeluFit& of(const velu_velu_params& params);

private:
    std::vector<std::unique_ptr<VeluFit>> fits_;
};

}  // namespace velu::cpu
