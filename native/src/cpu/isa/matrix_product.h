// Products of small matrices that lie in the cache, for one thread: the building block of kernels that keep what they
// multiply from ever reaching memory. To be included by files of isa/ only, after VELU_ISA_NAMESPACE is known.
#pragma once

#include <cstdint>

#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

/// A matrix of float32 whose element (row, column) is at data[row * row_stride + column * column_stride].
struct StridedMatrix {
    const float* data;
    int64_t row_stride;
    int64_t column_stride;
};

/// A matrix whose rows are contiguous, row_stride elements apart.
struct RowMatrix {
    float* data;
    int64_t row_stride;
};

/// A block of the product in registers: with 512 bits 6 x 4 vectors of 32 registers, else 6 x 2 of 16.
inline constexpr int kProductRows = 6;
inline constexpr int kProductVectors = simd::Vector::kLanes >= 16 ? 4 : 2;

template <int kRows, int kVectors, bool kAdd>
void product_block(int64_t depth, StridedMatrix a, RowMatrix b, RowMatrix c) {
    using V = simd::Vector;
    using Register = decltype(V::v);
    constexpr int kLanes = V::kLanes;
    Register sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
        for (int vector = 0; vector < kVectors; ++vector) {
            sums[row][vector] = (kAdd ? V::load(c.data + row * c.row_stride + vector * kLanes) : V(0.0f)).v;
        }
    }
    const float* left = a.data;
    const float* right = b.data;
    for (int64_t k = 0; k < depth; ++k) {
        Register factors[kVectors];
#pragma GCC unroll 8
        for (int vector = 0; vector < kVectors; ++vector) factors[vector] = V::load(right + vector * kLanes).v;
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row) {
            const V factor(left[row * a.row_stride]);
#pragma GCC unroll 8
            for (int vector = 0; vector < kVectors; ++vector) {
                sums[row][vector] = mul_add(factor, V(factors[vector]), V(sums[row][vector])).v;
            }
        }
        left += a.column_stride;
        right += b.row_stride;
    }
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
        for (int vector = 0; vector < kVectors; ++vector) {
            V(sums[row][vector]).store(c.data + row * c.row_stride + vector * kLanes);
        }
    }
}

template <int kVectors, bool kAdd, int kRows = kProductRows>
void product_rows(int64_t rows, int64_t depth, StridedMatrix a, RowMatrix b, RowMatrix c) {
    for (; rows >= kRows; rows -= kRows) {
        product_block<kRows, kVectors, kAdd>(depth, a, b, c);
        a.data += kRows * a.row_stride;
        c.data += kRows * c.row_stride;
    }
    if constexpr (kRows > 1) {
        if (rows > 0) product_rows<kVectors, kAdd, kRows - 1>(rows, depth, a, b, c);
    }
}

/// product_rows of as many vectors, up to kProductVectors.
template <bool kAdd, int kVectors = kProductVectors>
void product_columns(int64_t rows, int64_t vectors, int64_t depth, StridedMatrix a, RowMatrix b, RowMatrix c) {
    if constexpr (kVectors > 1) {
        if (vectors < kVectors) return product_columns<kAdd, kVectors - 1>(rows, vectors, depth, a, b, c);
    }
    product_rows<kVectors, kAdd>(rows, depth, a, b, c);
}

/// c = a b, or c += a b, with a [rows][depth], b [depth][columns] and c [rows][columns]. columns are rounded up to
/// whole vectors: b is read and c written that far. Every element is summed in the order of depth.
template <bool kAdd = false>
void multiply(int64_t rows, int64_t columns, int64_t depth, StridedMatrix a, RowMatrix b, RowMatrix c) {
    constexpr int kLanes = simd::Vector::kLanes;
    int64_t rest = (columns + kLanes - 1) / kLanes;
    for (int64_t blocks = (rest + kProductVectors - 1) / kProductVectors; blocks > 0; --blocks) {
        const int64_t vectors = (rest + blocks - 1) / blocks;  // about the same for all: narrow blocks are slow
        product_columns<kAdd>(rows, vectors, depth, a, b, c);
        b.data += vectors * kLanes;
        c.data += vectors * kLanes;
        rest -= vectors;
    }
}

}  // namespace
}  // namespace velu::cpu::VELU_ISA_NAMESPACE
