// Transposition of matrices, e.g. between NCHW and NHWC. Elements are moved as bits.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t kTile = 32;  // a row of a tile is one or two cache lines

/// Transposes columns [left, left + kTile) of one matrix, tile by tile. A tile is read and written row by row, through
/// a copy on the stack: rows that lie a power of two apart would drive each other from the cache.
template <class Word>
void transpose_strip(const Word* x, Word* y, int64_t rows, int64_t columns, int64_t left) {
    const int64_t width = std::min(kTile, columns - left);
    for (int64_t top = 0; top < rows; top += kTile) {
        const int64_t height = std::min(kTile, rows - top);
        Word tile[kTile][kTile];
        for (int64_t row = 0; row < height; ++row) {
            const Word* from = x + (top + row) * columns + left;
            for (int64_t column = 0; column < width; ++column) tile[row][column] = from[column];
        }
        for (int64_t column = 0; column < width; ++column) {
            Word* to = y + (left + column) * rows + top;
            for (int64_t row = 0; row < height; ++row) to[row] = tile[row][column];
        }
    }
}

template <class Word>
void transpose(const Context& context, const velu_transpose_desc& desc, const Word* x, Word* y) {
    const int64_t strips = (desc.columns + kTile - 1) / kTile;
    const int64_t size = desc.rows * desc.columns;
    parallel_for(context, desc.batch * strips, [&](int64_t task) {
        const int64_t offset = task / strips * size;
        transpose_strip(x + offset, y + offset, desc.rows, desc.columns, task % strips * kTile);
    });
}

}  // namespace

velu_status transpose_forward(DeviceContext* context, const velu_transpose_desc* desc, const void* x, void* y) {
    return guarded(context, [&]() -> velu_status {
        if (desc->dtype == VELU_DTYPE_BF16) {
            transpose(cpu(context), *desc, static_cast<const uint16_t*>(x), static_cast<uint16_t*>(y));
        } else {
            transpose(cpu(context), *desc, static_cast<const uint32_t*>(x), static_cast<uint32_t*>(y));
        }
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
