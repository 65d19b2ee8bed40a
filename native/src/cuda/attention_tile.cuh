// Tiles of attention in shared memory and the two products made of them, by a block of 64 threads as 8 rows and 8
// columns of threads.
//
// A tile holds 8 n rows of kDepth (a multiple of 32) floats in quads of 4. What a thread multiplies is in registers: it
// has every 8th row of one tile and every 8th row, or every 8th quad of columns, of another. Per quad of depth and n x
// m products of rows it loads n + m quads for 4 n m multiply-adds. Lanes are numbered so that each of these loads takes
// the two accesses that 16 bytes per lane take at least: of two lanes that differ in bit 0 or 1 one has the other's row
// or column. Quads are permuted within their row, so that the eight rows or quads of a load lie in different banks.
#pragma once

#include "cuda/attention_heads.cuh"
#include "cuda/element.cuh"
#include "cuda/lane.cuh"
#include "cuda/launch.cuh"

#include <cstdint>

namespace velu::cuda {

inline constexpr int kAttentionThreads = 64;

using Quad = Pack<float, 4>;

/// Which elements of a head there are. quads: head_size fits whole quads, and all pointers are aligned to 16 bytes.
struct HeadSize {
    int size;
    bool quads;
};

/// A thread's row and column among the block's 8 x 8. A warp has 4 rows of threads.
struct AttentionPlace {
    int row;
    int column;

    __device__ __forceinline__ AttentionPlace() {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        row = static_cast<int>(threadIdx.x) / kWarp * 4 + ((lane & 1) | (lane >> 3 & 2));
        column = lane >> 1 & 7;
    }
};

/// Combines a value over the eight threads of a row; all of them get the result.
template <class Function>
__device__ __forceinline__ float over_columns(float value, const Function& function) {
#pragma unroll
    for (int lane = 2; lane <= 8; lane *= 2) value = function(value, __shfl_xor_sync(kAllLanes, value, lane));
    return value;
}

template <int kDepth>
__device__ __forceinline__ int quad_index(int row, int quad) {
    return row * (kDepth / 4) + (quad ^ (row & 7));
}

/// Loads kRows (a multiple of 8) rows from row `first` on; those from `tokens` on, and what a row lacks of kDepth
/// elements, become 0. All threads call it.
template <int kRows, int kDepth, class T>
__device__ __forceinline__ void load_tile(const HeadRows<const T>& rows, int64_t first, int64_t tokens, HeadSize head,
                                          Quad* tile) {
    constexpr int kQuads = kDepth / 4;
    constexpr int kSteps = kRows * kQuads / kAttentionThreads;
    constexpr int kInFlight = 4;
    for (int step = 0; step < kSteps; step += kInFlight) {
        float value[kInFlight][4];
#pragma unroll
        for (int i = 0; i < kInFlight; ++i) {
            const int index = (step + i) * kAttentionThreads + static_cast<int>(threadIdx.x);
            const int64_t token = first + index / kQuads;
            const int element = index % kQuads * 4;
            const bool inside = step + i < kSteps && token < tokens;
            const T* from = rows.data + token * rows.pitch + element;
#pragma unroll
            for (int e = 0; e < 4; ++e) value[i][e] = 0;
            if (head.quads) {
                if (inside && element < head.size) load(from, value[i]);
            } else {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    if (inside && element + e < head.size) value[i][e] = to_float(from[e]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < kInFlight; ++i) {
            const int index = (step + i) * kAttentionThreads + static_cast<int>(threadIdx.x);
            if (step + i < kSteps) store(value[i], tile[quad_index<kDepth>(index / kQuads, index % kQuads)].element);
        }
    }
}

/// products[i][j] = row `at.row + 8 i` of a times row `at.column + 8 j` of b.
template <int kDepth, int kRows, int kColumns>
__device__ __forceinline__ void multiply_rows(const Quad* a, const Quad* b, AttentionPlace at,
                                              float (&products)[kRows][kColumns]) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) products[i][j] = 0;
    }
#pragma unroll 1
    for (int quad = 0; quad < kDepth / 4; ++quad) {
        Quad left[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) left[i] = a[8 * i * (kDepth / 4) + quad_index<kDepth>(at.row, quad)];
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
            const Quad right = b[8 * j * (kDepth / 4) + quad_index<kDepth>(at.column, quad)];
#pragma unroll
            for (int e = 0; e < 4; ++e) {
#pragma unroll
                for (int i = 0; i < kRows; ++i) {
                    products[i][j] = fmaf(left[i].element[e], right.element[e], products[i][j]);
                }
            }
        }
    }
}

/// A matrix of 8 kRows x 8 kColumns numbers per block, whose rows belong to one warp each: written by the threads that
/// have its elements, read by those of the same rows after a __syncwarp().
template <int kColumns>
struct Weights {
    static constexpr int kQuads = 2 * kColumns;

    static __device__ __forceinline__ int index(int row, int quad) {
        return row * kQuads + (quad ^ (2 * (row & 3) & (kQuads - 1)));
    }

    /// Stores value[i][j] as element (at.row + 8 i, at.column + 8 j).
    template <int kRows, int kWritten>
    static __device__ __forceinline__ void write(const float (&value)[kRows][kWritten], AttentionPlace at,
                                                 Quad* weights) {
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
#pragma unroll
            for (int j = 0; j < kWritten; ++j) {
                weights[8 * i * kQuads + index(at.row, 2 * j + at.column / 4)].element[at.column % 4] = value[i][j];
            }
        }
    }
};

/// sums[i][4 g + e] += the first 8 kUsed weights of row `at.row + 8 i` times column 32 g + 4 at.column + e of b's rows.
template <int kDepth, int kColumns, int kUsed, int kRows>
__device__ __forceinline__ void add_weighted(const Quad* weights, const Quad* b, AttentionPlace at,
                                             float (&sums)[kRows][kDepth / 8]) {
#pragma unroll 1
    for (int quad = 0; quad < 2 * kUsed; ++quad) {
        Quad left[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            left[i] = weights[8 * i * Weights<kColumns>::kQuads + Weights<kColumns>::index(at.row, quad)];
        }
#pragma unroll
        for (int e = 0; e < 4; ++e) {
#pragma unroll
            for (int group = 0; group < kDepth / 32; ++group) {
                const Quad right = b[8 * group + quad_index<kDepth>(4 * quad + e, at.column)];
#pragma unroll
                for (int f = 0; f < 4; ++f) {
#pragma unroll
                    for (int i = 0; i < kRows; ++i) {
                        float& sum = sums[i][4 * group + f];
                        sum = fmaf(left[i].element[e], right.element[f], sum);
                    }
                }
            }
        }
    }
}

/// Stores sums as add_weighted makes them to rows from row `first` on, but not past `tokens`, times factor[i].
template <int kDepth, int kRows, class T>
__device__ __forceinline__ void store_rows(const float (&sums)[kRows][kDepth / 8], const float (&factor)[kRows],
                                           AttentionPlace at, const HeadRows<T>& rows, int64_t first, int64_t tokens,
                                           HeadSize head) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
        const int64_t token = first + at.row + 8 * i;
        if (token >= tokens) continue;
#pragma unroll
        for (int group = 0; group < kDepth / 32; ++group) {
            const int element = 32 * group + 4 * at.column;
            T* const to = rows.data + token * rows.pitch + element;
            float value[4];
#pragma unroll
            for (int e = 0; e < 4; ++e) value[e] = sums[i][4 * group + e] * factor[i];
            if (head.quads) {
                if (element < head.size) store(value, to);
            } else {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    if (element + e < head.size) to[e] = from_float<T>(value[e]);
                }
            }
        }
    }
}

/// exp(x) for a score below, or by rounding just above, what is subtracted from it; 0 for -infinity, NaN for NaN.
__device__ __forceinline__ float score_exponential(float x) {
    return exp_of_nonpositive(Lane(x), Lane(0.0f)).v;
}

}  // namespace velu::cuda
