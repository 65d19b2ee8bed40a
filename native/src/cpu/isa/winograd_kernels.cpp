// Per tile and vector of channels the transforms read and write 16 vectors each, with 32 and 24 additions between them;
// the products take 16 multiply-adds per pair of vectors of channels, from blocks that lie in the first two levels of
// the cache. So products are what limits, at nearly the arithmetic's speed from 64 channels on; below, the transforms
// weigh.
#include "cpu/isa/winograd_kernels.h"

#include <algorithm>
#include <cstring>

#include "cpu/isa/matrix_product.h"
#include "cpu/isa/rectifier.h"
#include "cpu/isa/smooth_activation.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using V = simd::Vector;
using Register = decltype(V::v);

/// Rows of the right factor that are multiplied at once: with 64 columns half of the first cache level.
constexpr int64_t kDepth = 64;

/// Where the pixels of a tile are, as it walks over the tiles.
class Place {
public:
    Place(const WinogradShape& shape, int64_t tile) : shape_(shape) {
        const int64_t per_image = shape.tile_rows * shape.tile_columns;
        image = tile / per_image;
        row = 2 * (tile % per_image / shape.tile_columns);
        column = 2 * (tile % shape.tile_columns);
    }

    void advance() {
        column += 2;
        if (column < 2 * shape_.tile_columns) return;
        column = 0;
        row += 2;
        if (row < 2 * shape_.tile_rows) return;
        row = 0;
        ++image;
    }

    /// Of the tile's first pixel in the result.
    int64_t image, row, column;

private:
    const WinogradShape& shape_;
};

/// B^T d of four numbers.
__attribute__((always_inline)) inline void take_four(V d0, V d1, V d2, V d3, Register (&to)[4]) {
    to[0] = (d0 - d2).v;
    to[1] = (d1 + d2).v;
    to[2] = (d2 - d1).v;
    to[3] = (d1 - d3).v;
}

void take_image(const WinogradShape& shape, WinogradRange tiles, WinogradRange channels, const float* x,
                const float* zeros, WinogradMatrices to) {
    Place place(shape, tiles.first);
    for (int64_t tile = 0; tile < tiles.count; ++tile, place.advance()) {
        const float* pixels[4][4];
        const float* image = x + place.image * shape.in_height * shape.in_width * shape.in_pitch + channels.first;
        for (int i = 0; i < 4; ++i) {
            const int64_t row = place.row + i - shape.padding_height;
            for (int j = 0; j < 4; ++j) {
                const int64_t column = place.column + j - shape.padding_width;
                const bool inside = row >= 0 && row < shape.in_height && column >= 0 && column < shape.in_width;
                pixels[i][j] = inside ? image + (row * shape.in_width + column) * shape.in_pitch : zeros;
            }
        }
        float* points = to.data + tile * to.row_stride;
        simd::for_each_vector<V>(
            channels.count, [&](int64_t c, auto lanes) __attribute__((always_inline)) {
                Register half[4][4];  // [column][row]
                const auto load = [&](int i, int j) __attribute__((always_inline)) {
                    return lanes.load(pixels[i][j] + c, V(0.0f));
                };
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) take_four(load(0, j), load(1, j), load(2, j), load(3, j), half[j]);
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) {
                    Register row[4];
                    take_four(V(half[0][i]), V(half[1][i]), V(half[2][i]), V(half[3][i]), row);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; ++j) V(row[j]).store(points + (4 * i + j) * to.point_stride + c);
                }
            });
    }
}

void take_gradient(const WinogradShape& shape, WinogradRange tiles, WinogradRange channels, const float* dy,
                   const float* zeros, WinogradMatrices to) {
    Place place(shape, tiles.first);
    for (int64_t tile = 0; tile < tiles.count; ++tile, place.advance()) {
        const float* pixels[2][2];
        const float* image = dy + place.image * shape.out_height * shape.out_width * shape.out_pitch + channels.first;
        for (int i = 0; i < 2; ++i) {
            for (int j = 0; j < 2; ++j) {
                const bool inside = place.row + i < shape.out_height && place.column + j < shape.out_width;
                const int64_t pixel = (place.row + i) * shape.out_width + place.column + j;
                pixels[i][j] = inside ? image + pixel * shape.out_pitch : zeros;
            }
        }
        float* points = to.data + tile * to.row_stride;
        simd::for_each_vector<V>(
            channels.count, [&](int64_t o, auto lanes) __attribute__((always_inline)) {
                Register half[2][4];  // [column][row]
#pragma GCC unroll 2
                for (int j = 0; j < 2; ++j) {
                    const V top = lanes.load(pixels[0][j] + o, V(0.0f));
                    const V bottom = lanes.load(pixels[1][j] + o, V(0.0f));
                    half[j][0] = top.v;
                    half[j][1] = (top + bottom).v;
                    half[j][2] = (top - bottom).v;
                    half[j][3] = (-bottom).v;
                }
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) {
                    const V left(half[0][i]), right(half[1][i]);
                    float* row = points + 4 * i * to.point_stride + o;
                    left.store(row);
                    (left + right).store(row + to.point_stride);
                    (left - right).store(row + 2 * to.point_stride);
                    (-right).store(row + 3 * to.point_stride);
                }
            });
    }
}

/// G g of three numbers.
__attribute__((always_inline)) inline void take_three(V g0, V g1, V g2, Register (&to)[4]) {
    const V ends = V(0.5f) * (g0 + g2);
    to[0] = g0.v;
    to[1] = mul_add(V(0.5f), g1, ends).v;
    to[2] = mul_add(V(-0.5f), g1, ends).v;
    to[3] = g2.v;
}

/// tap(i, j) gives a vector of the filters.
template <class Tap>
__attribute__((always_inline)) inline void take_filter(const Tap& tap, float* to, int64_t point_stride) {
    Register half[3][4];
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j) take_three(tap(0, j), tap(1, j), tap(2, j), half[j]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        Register row[4];
        take_three(V(half[0][i]), V(half[1][i]), V(half[2][i]), row);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) V(row[j]).store(to + (4 * i + j) * point_stride);
    }
}

/// A square of kLanes rows, kLanes columns: columns become rows.
void transpose(float (&square)[V::kLanes][V::kLanes]) {
    constexpr int kLanes = V::kLanes;
    if constexpr (kLanes > 1) {
        // As often as kLanes can be halved, the rows of the first half are interleaved with those of the second.
        using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));
        using Places = int __attribute__((vector_size(kLanes * sizeof(int))));
        Places low, high;
        for (int i = 0; i < kLanes; ++i) {
            low[i] = i / 2 + i % 2 * kLanes;
            high[i] = low[i] + kLanes / 2;
        }
        Lanes rows[kLanes];
        std::memcpy(rows, square, sizeof rows);
#pragma GCC unroll 4
        for (int round = 1; round < kLanes; round *= 2) {
            Lanes interleaved[kLanes];
#pragma GCC unroll 8
            for (int i = 0; i < kLanes / 2; ++i) {
                interleaved[2 * i] = __builtin_shuffle(rows[i], rows[i + kLanes / 2], low);
                interleaved[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + kLanes / 2], high);
            }
#pragma GCC unroll 16
            for (int i = 0; i < kLanes; ++i) rows[i] = interleaved[i];
        }
        std::memcpy(square, rows, sizeof rows);
    }
}

void take_filters(WinogradFilters filters, int64_t first, WinogradRange ins, WinogradMatrices to) {
    constexpr int64_t kLanes = V::kLanes;
    const int64_t columns = std::min(kWinogradColumns, filters.out_channels - first);
    for (int64_t column = 0; column < columns; column += kLanes) {
        const int64_t outs = std::min(kLanes, columns - column);
        const float* from = filters.weight + (first + column) * 9 * filters.in_channels + ins.first;
        simd::for_each_vector<V>(ins.count, [&](int64_t c, auto lanes) {
            alignas(64) float taps[9][kLanes][kLanes];  // [tap][in][out]
            for (int tap = 0; tap < 9; ++tap) {
                for (int64_t o = 0; o < kLanes; ++o) {
                    // More rows than the processor follows by itself.
                    __builtin_prefetch(from + (o * 9 + tap) * filters.in_channels + c + kLanes);
                    const V row =
                        o < outs ? lanes.load(from + (o * 9 + tap) * filters.in_channels + c, V(0.0f)) : V(0.0f);
                    row.store(taps[tap][o]);
                }
                transpose(taps[tap]);
            }
            for (int64_t in = 0; in < std::min(kLanes, ins.count - c); ++in) {
                take_filter(
                    [&](int i, int j) __attribute__((always_inline)) { return V::load(taps[3 * i + j][in]); },
                    to.data + (c + in) * to.row_stride + column, to.point_stride);
            }
        });
    }
}

void take_turned_filters(WinogradFilters filters, int64_t first, WinogradRange outs, WinogradMatrices to) {
    const int64_t columns = std::min(kWinogradColumns, filters.in_channels - first);
    for (int64_t o = 0; o < outs.count; ++o) {
        const float* filter = filters.weight + (outs.first + o) * 9 * filters.in_channels + first;
        for (int tap = 0; tap < 9; ++tap) {
            for (int64_t column = 0; column < columns; column += 16) {
                __builtin_prefetch(filter + (9 + tap) * filters.in_channels + column);
            }
        }
        simd::for_each_vector<V>(
            columns, [&](int64_t column, auto lanes) __attribute__((always_inline)) {
                take_filter(
                    [&](int i, int j) __attribute__((always_inline)) {
                        return lanes.load(filter + (8 - 3 * i - j) * filters.in_channels + column, V(0.0f));
                    },
                    to.data + o * to.row_stride + column, to.point_stride);
            });
    }
}

void multiply(int64_t rows, int64_t columns, int64_t depth, WinogradMatrices a, WinogradMatrices b, WinogradMatrices c,
              bool add) {
    for (int point = 0; point < kWinogradPoints; ++point) {
        const RowMatrix product = {c.data + point * c.point_stride, c.row_stride};
        for (int64_t done = 0; done < depth; done += kDepth) {
            const StridedMatrix left = {a.data + point * a.point_stride + done, a.row_stride, 1};
            const RowMatrix right = {b.data + point * b.point_stride + done * b.row_stride, b.row_stride};
            const int64_t some = std::min(kDepth, depth - done);
            if (add || done > 0) {
                multiply<true>(rows, columns, some, left, right, product);
            } else {
                multiply<false>(rows, columns, some, left, right, product);
            }
        }
    }
}

void multiply_transposed(int64_t rows, int64_t columns, int64_t depth, WinogradMatrices a, WinogradMatrices b,
                         WinogradMatrices c) {
    for (int point = 0; point < kWinogradPoints; ++point) {
        multiply<true>(rows, columns, depth, StridedMatrix{a.data + point * a.point_stride, 1, a.row_stride},
                       RowMatrix{b.data + point * b.point_stride, b.row_stride},
                       RowMatrix{c.data + point * c.point_stride, c.row_stride});
    }
}

template <class Function>
void give(const WinogradShape& shape, WinogradRange tiles, int64_t first, int64_t columns, WinogradMatrices from,
          const WinogradResult& result) {
    Place place(shape, tiles.first);
    for (int64_t tile = 0; tile < tiles.count; ++tile, place.advance()) {
        const int64_t pixel = (place.image * shape.out_height + place.row) * shape.out_width + place.column;
        const bool has_right = place.column + 1 < shape.out_width;
        const bool has_bottom = place.row + 1 < shape.out_height;
        const float* points = from.data + tile * from.row_stride;
        simd::for_each_vector<V>(
            columns, [&](int64_t column, auto lanes) __attribute__((always_inline)) {
                Register half[2][4];  // [row][column]
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) {
                    const auto point = [&](int i) __attribute__((always_inline)) {
                        return V::load(points + (4 * i + j) * from.point_stride + column);
                    };
                    const V middle = point(1) + point(2);
                    const V difference = point(1) - point(2);
                    half[0][j] = (point(0) + middle).v;
                    half[1][j] = (difference - point(3)).v;
                }
                const int64_t channel = first + column;
                const V bias = lanes.load(result.bias + channel, V(0.0f));
                const auto finish = [&](V sum, int64_t at) __attribute__((always_inline)) {
                    V z = sum + bias;
                    if (result.residual != nullptr) {
                        z = z + lanes.load(result.residual + at * shape.out_channels + channel, V(0.0f));
                    }
                    lanes.store(Function::value(z), result.y + at * shape.out_pitch + channel);
                };
#pragma GCC unroll 2
                for (int i = 0; i < 2; ++i) {
                    if (i == 1 && !has_bottom) break;
                    const V second(half[i][1]), third(half[i][2]);
                    const int64_t at = pixel + i * shape.out_width;
                    finish(V(half[i][0]) + (second + third), at);
                    if (has_right) finish((second - third) - V(half[i][3]), at + 1);
                }
            });
    }
}

void give_result(const WinogradShape& shape, WinogradRange tiles, int64_t first, int64_t columns, WinogradMatrices from,
                 const WinogradResult& result) {
    switch (result.activation) {
        case VELU_ACTIVATION_IDENTITY:
            return give<Identity>(shape, tiles, first, columns, from, result);
        case VELU_ACTIVATION_RELU:
            return give<Relu>(shape, tiles, first, columns, from, result);
        case VELU_ACTIVATION_RELU6:
            return give<Relu6>(shape, tiles, first, columns, from, result);
        case VELU_ACTIVATION_SILU:
            return give<Silu>(shape, tiles, first, columns, from, result);
        case VELU_ACTIVATION_SIGMOID:
            return give<Logistic>(shape, tiles, first, columns, from, result);
        default:
            return give<Gelu>(shape, tiles, first, columns, from, result);
    }
}

/// G^T m of four numbers.
__attribute__((always_inline)) inline void give_three(V m0, V m1, V m2, V m3, Register (&to)[3]) {
    const V sum = V(0.5f) * (m1 + m2);
    to[0] = (m0 + sum).v;
    to[1] = (V(0.5f) * (m1 - m2)).v;
    to[2] = (sum + m3).v;
}

void give_filter(WinogradMatrices from, int64_t row, int64_t columns, int64_t parts, int64_t part_stride,
                 float* dweight, int64_t stride) {
    const float* points = from.data + row * from.row_stride;
    simd::for_each_vector<V>(
        columns, [&](int64_t column, auto lanes) __attribute__((always_inline)) {
            const auto load = [&](int point) __attribute__((always_inline)) {
                const float* at = points + point * from.point_stride + column;
                V sum = V::load(at);
                for (int64_t part = 1; part < parts; ++part) sum = sum + V::load(at + part * part_stride);
                return sum;
            };
            Register half[4][3];  // [column][row]
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) give_three(load(j), load(4 + j), load(8 + j), load(12 + j), half[j]);
#pragma GCC unroll 3
            for (int i = 0; i < 3; ++i) {
                Register taps[3];
                give_three(V(half[0][i]), V(half[1][i]), V(half[2][i]), V(half[3][i]), taps);
#pragma GCC unroll 3
                for (int j = 0; j < 3; ++j) lanes.store(V(taps[j]), dweight + (3 * i + j) * stride + column);
            }
        });
}

}  // namespace

extern const WinogradKernels winograd_kernels = {
    take_image, take_gradient,       take_filters, take_turned_filters,
    multiply,   multiply_transposed, give_result,  give_filter,
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
