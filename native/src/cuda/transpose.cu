// Transposition of matrices, e.g. between NCHW and NHWC. Elements are moved as bits.
#include "cuda/element.cuh"
#include "cuda/launch.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kTile = 32;
constexpr int kTileThreads = 128;
constexpr int kTileStep = kTileThreads / kTile;  // rows of a tile that a block touches at once
constexpr int kNarrow = 8;                       // matrices with a side of up to this have a kernel of their own
constexpr int kNarrowThreads = 256;

// Reads and writes an element each, both coalesced: a block takes a tile of 32 x 32 elements through shared memory, a
// warp reading rows and writing columns. A row of the tile has one element too many, so that the 32 elements of a
// column lie in 32 banks (for 2-byte elements too: two neighbouring rows are 16 1/2 banks apart). Every thread has 8
// loads in flight. About 8 instructions per element of a budget of 55 (27 for 2 bytes); limited by memory.
template <class Word>
__global__ void __launch_bounds__(kTileThreads)
    transpose_tiles(const Word* __restrict__ x, Word* __restrict__ y, int64_t batch, int64_t rows, int64_t columns) {
    __shared__ Word tile[kTile * (kTile + 1)];
    constexpr int kStride = kTile + 1;
    const int lane = static_cast<int>(threadIdx.x) % kTile;
    const int first = static_cast<int>(threadIdx.x) / kTile;
    const int64_t tiles_down = (rows + kTile - 1) / kTile;
    const int64_t tiles_across = (columns + kTile - 1) / kTile;
    const int64_t tiles = batch * tiles_down * tiles_across;
    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        const int64_t matrix_row = index / tiles_across;
        const int64_t left = (index - matrix_row * tiles_across) * kTile;
        const int64_t matrix = matrix_row / tiles_down;
        const int64_t top = (matrix_row - matrix * tiles_down) * kTile;
        const Word* from = x + matrix * rows * columns;
        Word* to = y + matrix * rows * columns;
#pragma unroll
        for (int i = 0; i < kTile; i += kTileStep) {
            const int64_t row = top + first + i;
            const int64_t column = left + lane;
            if (row < rows && column < columns) tile[(first + i) * kStride + lane] = from[row * columns + column];
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < kTile; i += kTileStep) {
            const int64_t column = left + first + i;
            const int64_t row = top + lane;
            if (row < rows && column < columns) to[column * rows + row] = tile[lane * kStride + first + i];
        }
        __syncthreads();
    }
}

// For a side of at most kNarrow elements, where tiles would be almost empty. A thread moves one line of that side:
// neighbouring threads read or write neighbouring elements of the long side, and what they touch on the other side
// fills its sectors over the thread's few accesses. About 8 instructions per element and a division per line.
template <class Word, bool kFewRows>
__global__ void __launch_bounds__(kNarrowThreads)
    transpose_narrow(const Word* __restrict__ x, Word* __restrict__ y, int64_t batch, int64_t wide, int narrow) {
    for (int64_t line = thread_index(); line < batch * wide; line += thread_count()) {
        const int64_t matrix = line / wide;
        const int64_t spread = matrix * wide * narrow + (line - matrix * wide);  // elements `wide` apart
        const int64_t dense = line * narrow;                                     // neighbouring elements
        Word element[kNarrow];
#pragma unroll
        for (int i = 0; i < kNarrow; ++i) {
            if (i < narrow) element[i] = x[kFewRows ? spread + i * wide : dense + i];
        }
#pragma unroll
        for (int i = 0; i < kNarrow; ++i) {
            if (i < narrow) y[kFewRows ? dense + i : spread + i * wide] = element[i];
        }
    }
}

template <class Word>
void transpose(Context& context, const velu_transpose_desc& desc, const Word* x, Word* y) {
    if (desc.rows <= kNarrow) {
        launch(context, transpose_narrow<Word, true>, grid_for(context, desc.batch * desc.columns, kNarrowThreads),
               kNarrowThreads, x, y, desc.batch, desc.columns, static_cast<int>(desc.rows));
    } else if (desc.columns <= kNarrow) {
        launch(context, transpose_narrow<Word, false>, grid_for(context, desc.batch * desc.rows, kNarrowThreads),
               kNarrowThreads, x, y, desc.batch, desc.rows, static_cast<int>(desc.columns));
    } else {
        const int64_t tiles = desc.batch * ((desc.rows + kTile - 1) / kTile) * ((desc.columns + kTile - 1) / kTile);
        constexpr int kBlocksPerMultiprocessor = 16;
        launch(context, transpose_tiles<Word>, grid_for(context, tiles, 1, kBlocksPerMultiprocessor), kTileThreads, x,
               y, desc.batch, desc.rows, desc.columns);
    }
}

}  // namespace

velu_status transpose_forward(DeviceContext* context, const velu_transpose_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        if (desc->dtype == VELU_DTYPE_BF16) {
            transpose(device, *desc, static_cast<const uint16_t*>(x), static_cast<uint16_t*>(y));
        } else {
            transpose(device, *desc, static_cast<const uint32_t*>(x), static_cast<uint32_t*>(y));
        }
    });
}

}  // namespace velu::cuda
