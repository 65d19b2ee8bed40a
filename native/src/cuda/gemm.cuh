// A tiled matrix product on the plain arithmetic units, for what no library computes: C = A B with operands that may be
// gathered (convolutions). Every sum is made in one fixed order.
#pragma once

#include "cuda/channel_lanes.cuh"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

#include <algorithm>
#include <cstdint>

namespace velu::cuda {

/// Sizes of `batches` products C[rows][columns] = A[rows][depth] B[depth][columns], the sums over depth cut into
/// `splits` parts of `split_depth` (the last one may be shorter).
struct GemmSizes {
    int64_t batches;
    int64_t rows;
    int64_t columns;
    int64_t depth;
    int64_t splits;
    int64_t split_depth;
};

inline constexpr int kGemmThreads = 256;
inline constexpr int kGemmRows = 64;   // of C that a block computes
inline constexpr int kGemmDepth = 16;  // of the sum that a block keeps in shared memory at a time

/// An operand has
///   kAlongDepth: whether neighbours along depth are neighbours in memory (else neighbouring rows or columns are), so
///                that neighbouring threads load them;
///   Line line(batch, outer): what is known once row or column `outer` is; plain data;
///   float at(line, depth): the element, 0 for one that is not there.
/// Output has store(batch, split, row, column, sum).
///
/// A block of 256 threads computes 64 x 16 kColumns elements of C, a thread 4 x kColumns of them in registers. Per 16
/// steps of depth a block loads 1024 elements of A and 256 kColumns of B, each computing its own address, and then does
/// 16 x 4 kColumns multiply-adds per thread from shared memory: for kColumns = 4 limited by the arithmetic units
/// (perhaps half of their peak, as addresses cost as much as the products), without tensor cores.
template <int kColumns, class A, class B, class Output>
__global__ void __launch_bounds__(kGemmThreads, 2) gemm_kernel(A a, B b, Output output, GemmSizes sizes) {
    constexpr int kTileColumns = 16 * kColumns;
    __shared__ float a_tile[kGemmDepth][kGemmRows + 1];
    __shared__ float b_tile[kGemmDepth][kTileColumns + 1];
    const int thread = static_cast<int>(threadIdx.x);

    // What this thread loads: 4 elements of A and kColumns of B per step.
    const int a_row = A::kAlongDepth ? thread / 4 : thread % 16 * 4;
    const int a_depth = A::kAlongDepth ? thread % 4 * 4 : thread / 16;
    constexpr int kThreadsAlong = kGemmDepth / kColumns;  // along depth, if the operand lies so
    const int b_column = B::kAlongDepth ? thread / kThreadsAlong : thread % 16 * kColumns;
    const int b_depth = B::kAlongDepth ? thread % kThreadsAlong * kColumns : thread / 16;
    // What it computes: every 16th row and column from these on, so that a warp reads 16 neighbours of b_tile.
    const int c_row = thread / 16;
    const int c_column = thread % 16;

    const int64_t row_tiles = (sizes.rows + kGemmRows - 1) / kGemmRows;
    const int64_t column_tiles = (sizes.columns + kTileColumns - 1) / kTileColumns;
    const int64_t tiles = row_tiles * column_tiles * sizes.splits * sizes.batches;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        // Neighbouring blocks share their columns' operand.
        int64_t rest = quotient(tile, row_tiles);
        const int64_t first_row = (tile - rest * row_tiles) * kGemmRows;
        const int64_t above = quotient(rest, column_tiles);
        const int64_t first_column = (rest - above * column_tiles) * kTileColumns;
        const int64_t batch = quotient(above, sizes.splits);
        const int64_t split = above - batch * sizes.splits;
        const int64_t begin = split * sizes.split_depth;
        const int64_t end = begin + sizes.split_depth < sizes.depth ? begin + sizes.split_depth : sizes.depth;

        constexpr int kALines = A::kAlongDepth ? 1 : 4;
        constexpr int kBLines = B::kAlongDepth ? 1 : kColumns;
        typename A::Line a_lines[kALines];
        typename B::Line b_lines[kBLines];
        bool a_inside[kALines];
        bool b_inside[kBLines];
#pragma unroll
        for (int i = 0; i < kALines; ++i) {
            a_inside[i] = first_row + a_row + i < sizes.rows;
            a_lines[i] = a.line(batch, a_inside[i] ? first_row + a_row + i : 0);
        }
#pragma unroll
        for (int i = 0; i < kBLines; ++i) {
            b_inside[i] = first_column + b_column + i < sizes.columns;
            b_lines[i] = b.line(batch, b_inside[i] ? first_column + b_column + i : 0);
        }

        float sums[4][kColumns] = {};
        for (int64_t step = begin; step < end; step += kGemmDepth) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int line = A::kAlongDepth ? 0 : i;
                const int depth = A::kAlongDepth ? a_depth + i : a_depth;
                const int row = A::kAlongDepth ? a_row : a_row + i;
                a_tile[depth][row] = a_inside[line] && step + depth < end ? a.at(a_lines[line], step + depth) : 0.0f;
            }
#pragma unroll
            for (int i = 0; i < kColumns; ++i) {
                const int line = B::kAlongDepth ? 0 : i;
                const int depth = B::kAlongDepth ? b_depth + i : b_depth;
                const int column = B::kAlongDepth ? b_column : b_column + i;
                b_tile[depth][column] = b_inside[line] && step + depth < end ? b.at(b_lines[line], step + depth) : 0.0f;
            }
            __syncthreads();
#pragma unroll
            for (int depth = 0; depth < kGemmDepth; ++depth) {
                float rows[4];
                float columns[kColumns];
#pragma unroll
                for (int i = 0; i < 4; ++i) rows[i] = a_tile[depth][c_row + 16 * i];
#pragma unroll
                for (int j = 0; j < kColumns; ++j) columns[j] = b_tile[depth][c_column + 16 * j];
#pragma unroll
                for (int i = 0; i < 4; ++i) {
#pragma unroll
                    for (int j = 0; j < kColumns; ++j) sums[i][j] = fmaf(rows[i], columns[j], sums[i][j]);
                }
            }
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int j = 0; j < kColumns; ++j) {
                const int64_t row = first_row + c_row + 16 * i;
                const int64_t column = first_column + c_column + 16 * j;
                if (row < sizes.rows && column < sizes.columns) output.store(batch, split, row, column, sums[i][j]);
            }
        }
    }
}

/// Cuts the sums over depth where the tiles of C alone would leave most of the device idle, as in gradients of weights.
/// At least 256 steps stay in a part.
inline void split_depth(const Context& context, GemmSizes& sizes) {
    const int64_t tiles = ((sizes.rows + 63) / 64) * ((sizes.columns + 63) / 64) * sizes.batches;
    const int64_t wanted = std::max<int64_t>(1, 2 * int64_t{context.multiprocessors} / tiles);
    sizes.splits = std::clamp<int64_t>(sizes.depth / 256, 1, std::min<int64_t>(wanted, 256));
    sizes.split_depth = (sizes.depth + sizes.splits - 1) / sizes.splits;
    sizes.splits = (sizes.depth + sizes.split_depth - 1) / sizes.split_depth;
}

template <class A, class B, class Output>
void gemm(Context& context, const GemmSizes& sizes, const A& a, const B& b, const Output& output) {
    const int64_t row_tiles = (sizes.rows + kGemmRows - 1) / kGemmRows;
    const auto blocks = [&](int64_t tile_columns) {
        const int64_t column_tiles = (sizes.columns + tile_columns - 1) / tile_columns;
        return static_cast<unsigned>(
            std::min<int64_t>(row_tiles * column_tiles * sizes.splits * sizes.batches, INT32_MAX));
    };
    if (sizes.columns <= 16) {
        launch(context, gemm_kernel<1, A, B, Output>, blocks(16), kGemmThreads, a, b, output, sizes);
    } else {
        launch(context, gemm_kernel<4, A, B, Output>, blocks(64), kGemmThreads, a, b, output, sizes);
    }
}

/// A dense matrix: element (outer, depth) of batch 0 is data[outer * outer_stride + depth * depth_stride], of which one
/// stride is 1.
template <class T, bool kDepthIsContiguous>
struct MatrixOperand {
    static constexpr bool kAlongDepth = kDepthIsContiguous;
    struct Line {
        const T* first;
    };
    const T* data;
    int64_t stride;  // of the other index

    __device__ Line line(int64_t /*batch*/, int64_t outer) const {
        return {data + outer * (kDepthIsContiguous ? stride : 1)};
    }
    __device__ float at(const Line& line, int64_t depth) const {
        return to_float(line.first[depth * (kDepthIsContiguous ? 1 : stride)]);
    }
};

/// The dense matrix [rows][columns], plus a bias per column if there is one.
template <class T>
struct MatrixOutput {
    T* data;
    int64_t columns;
    const float* bias;

    __device__ void store(int64_t /*batch*/, int64_t /*split*/, int64_t row, int64_t column, float sum) const {
        data[row * columns + column] = from_float<T>(bias == nullptr ? sum : sum + bias[column]);
    }
};

/// Parts [split][row][column] of a sum that was cut, in float32.
struct PartialOutput {
    float* data;
    int64_t rows;
    int64_t columns;

    __device__ void store(int64_t /*batch*/, int64_t split, int64_t row, int64_t column, float sum) const {
        data[(split * rows + row) * columns + column] = sum;
    }
};

}  // namespace velu::cuda
