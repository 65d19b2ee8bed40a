// Vector kernels of Winograd's convolution F(2 x 2, 3 x 3): Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", CVPR 2016. A tile is 2 x 2 pixels of the result and the 4 x 4 pixels that they see; tiles and filters are
// taken to 16 points, where each pixel of a convolution is one product:
//
//     y = A^T [ (G g G^T) * (B^T d B) ] A      16 multiplications instead of the 36 of the definition
//
// Summed over channels that is a matrix product for each of the points. The gradient of the filters is the same with
// the parts exchanged: dg = G^T [ (A dy A^T) * (B^T d B) ] G.
#pragma once

#include <velu/velu.h>

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

inline constexpr int kWinogradPoints = 16;

/// Columns of a block of filters, and of the products with it, at most.
inline constexpr int64_t kWinogradColumns = 64;

/// The images on both sides, nhwc in float32, and the tiles over all of them, row by row.
struct WinogradShape {
    int64_t in_height, in_width, in_channels, in_pitch;
    int64_t out_height, out_width, out_channels, out_pitch;
    int64_t padding_height, padding_width;
    int64_t tile_rows, tile_columns, tiles;
};

/// Some of the tiles of a shape, or of its channels.
struct WinogradRange {
    int64_t first, count;
};

/// A matrix for each point: element (row, column) of point p is data[p * point_stride + row * row_stride + column].
/// data is aligned to 64 bytes, the strides are multiples of 16.
struct WinogradMatrices {
    float* data;
    int64_t point_stride;
    int64_t row_stride;
};

/// What happens to each pixel of the result: y = f(sum + bias + residual).
struct WinogradResult {
    const float* bias;      // [out_channels]
    const float* residual;  // dense, or nullptr
    int32_t activation;     // VELU_ACTIVATION_*
    float* y;               // may be residual
};

/// A dense filter, [out][3][3][in].
struct WinogradFilters {
    const float* weight;
    int64_t out_channels, in_channels;
};

struct WinogradKernels {
    /// to[tile][channel] = B^T d B of the in pixels of the tiles, from tiles.first and channels.first on; zeros has as
    /// many zeros as a pixel has channels.
    void (*take_image)(const WinogradShape& shape, WinogradRange tiles, WinogradRange channels, const float* x,
                       const float* zeros, WinogradMatrices to);

    /// to[tile][channel] = A dy A^T of the out pixels of the tiles.
    void (*take_gradient)(const WinogradShape& shape, WinogradRange tiles, WinogradRange channels, const float* dy,
                          const float* zeros, WinogradMatrices to);

    /// to[in][column] = G g G^T of the filters from channel ins.first + in to out channel `first + column`, column <
    /// kWinogradColumns. Columns are written up to a whole vector, with zeros where there is no such channel.
    void (*take_filters)(WinogradFilters filters, int64_t first, WinogradRange ins, WinogradMatrices to);

    /// to[out][column] = that of the filters turned by half a turn, from out channel outs.first + out to in channel
    /// `first + column`: what the gradient of the image is convolved with.
    void (*take_turned_filters)(WinogradFilters filters, int64_t first, WinogradRange outs, WinogradMatrices to);

    /// c = a b at every point, or c += a b: a [rows][depth], b [depth][columns]. Columns are rounded up to whole
    /// vectors.
    void (*multiply)(int64_t rows, int64_t columns, int64_t depth, WinogradMatrices a, WinogradMatrices b,
                     WinogradMatrices c, bool add);

    /// c += a^T b at every point: a [depth][rows].
    void (*multiply_transposed)(int64_t rows, int64_t columns, int64_t depth, WinogradMatrices a, WinogradMatrices b,
                                WinogradMatrices c);

    /// y of the tiles from A^T m A, for out channels [first, first + columns) in from[tile][column].
    void (*give_result)(const WinogradShape& shape, WinogradRange tiles, int64_t first, int64_t columns,
                        WinogradMatrices from, const WinogradResult& result);

    /// The gradient of the filters of one out channel, for some in channels: dweight[9] with `stride` elements from tap
    /// to tap, from row `row` of `parts` matrices, which lie part_stride elements apart and are added in their order.
    void (*give_filter)(WinogradMatrices from, int64_t row, int64_t columns, int64_t parts, int64_t part_stride,
                        float* dweight, int64_t stride);
};
VELU_ISA_SELECT(WinogradKernels, winograd_kernels)

}  // namespace velu::cpu
