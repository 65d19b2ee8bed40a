// The work is divided in one of two ways. By tiles: each thread takes some, multiplies them with all filters, and what
// it keeps of them stays in its cache; the filters are transformed before and read again for every block of tiles. By
// filters: the tiles of all images are transformed first, then each thread takes some of the filters, which only it
// transforms, and only once. That is for the last layers of a network, whose filters are larger than their images.
#include "cpu/conv2d_winograd.h"

#include <algorithm>
#include <utility>

#include "cpu/conv2d_geometry.h"
#include "cpu/isa/winograd_kernels.h"

namespace velu::cpu {
namespace {

/// Tiles that are multiplied at once, at most; a multiple of the rows that the product's kernels keep in registers.
constexpr int64_t kTileBlock = 48;

/// Tiles that add to the gradient of the filters at once, at most.
constexpr int64_t kGradientTileBlock = 96;

/// Channels that are summed at once where filters are divided: those of few tiles, of the filters, and the sums then
/// lie in the second cache level.
constexpr int64_t kSlice = 64;

/// Most tiles for a division by filters.
constexpr int64_t kFewTiles = 128;

constexpr int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

constexpr int64_t whole_lines(int64_t floats) {
    return ceil_div(floats, 16) * 16;
}

/// [16][rows][columns], with 64 bytes more per row and point than needed: strides of 4096 bytes would have the points
/// evict each other from the cache.
WinogradMatrices matrices(int64_t rows, int64_t columns) {
    const int64_t row_stride = whole_lines(columns) + 16;
    return {nullptr, rows * row_stride + 16, row_stride};
}

int64_t floats(const WinogradMatrices& m) {
    return kWinogradPoints * m.point_stride;
}

WinogradMatrices at(const WinogradMatrices& m, int64_t row, int64_t column) {
    return {m.data + row * m.row_stride + column, m.point_stride, m.row_stride};
}

/// Of matrices that follow one another in memory, those at `index`.
WinogradMatrices nth(const WinogradMatrices& m, int64_t index) {
    return {m.data + index * floats(m), m.point_stride, m.row_stride};
}

WinogradRange slice_of(int64_t channels, int64_t index) {
    return {index * kSlice, std::min(kSlice, channels - index * kSlice)};
}

int64_t block_columns(int64_t out_channels) {
    return std::min(kWinogradColumns, whole_lines(out_channels));
}

WinogradShape with_tiles(WinogradShape s, int64_t batch) {
    s.tile_rows = ceil_div(s.out_height, 2);
    s.tile_columns = ceil_div(s.out_width, 2);
    s.tiles = batch * s.tile_rows * s.tile_columns;
    return s;
}

/// The convolution of a forward pass.
WinogradShape forward_shape(const velu_conv2d_desc& d) {
    WinogradShape s = {};
    s.in_height = d.in_height;
    s.in_width = d.in_width;
    s.in_channels = s.in_pitch = d.in_channels;
    s.out_height = conv2d_out_height(d);
    s.out_width = conv2d_out_width(d);
    s.out_channels = d.out_channels;
    s.out_pitch = y_is_dense(d) ? d.out_channels : d.y_pitch;
    s.padding_height = d.padding_height;
    s.padding_width = d.padding_width;
    return with_tiles(s, d.batch);
}

/// dx as the convolution of dy with the turned filters.
WinogradShape backward_shape(const velu_conv2d_desc& d) {
    WinogradShape s = forward_shape(d);
    std::swap(s.in_height, s.out_height);
    std::swap(s.in_width, s.out_width);
    std::swap(s.in_channels, s.out_channels);
    std::swap(s.in_pitch, s.out_pitch);
    s.padding_height = 2 - s.padding_height;
    s.padding_width = 2 - s.padding_width;
    return with_tiles(s, d.batch);
}

/// One of the equal shares of `count` things.
WinogradRange share(int64_t count, int64_t index, int64_t shares) {
    const int64_t first = count * index / shares;
    return {first, count * (index + 1) / shares - first};
}

/// Hands out parts of the scratch memory, each on a cache line of its own. Without memory it only counts.
class Scratch {
public:
    explicit Scratch(void* memory) : memory_(static_cast<float*>(memory)) {}

    float* take(int64_t count) {
        float* taken = memory_ == nullptr ? nullptr : memory_ + taken_;
        taken_ += whole_lines(count);
        return taken;
    }
    size_t bytes() const { return static_cast<size_t>(taken_) * sizeof(float); }

private:
    float* memory_;
    int64_t taken_ = 0;
};

/// Transformed filters: kernels' take_filters or take_turned_filters.
using TakeFilters = decltype(WinogradKernels::take_filters);

/// How the images of a shape are convolved with filters that are packed or yet to be transformed.
struct Convolution {
    Convolution(const Context& context, const WinogradShape& s, bool packed, void* memory)
        : shape(s), kernels(winograd_kernels(context.isa)), threads(context.threads) {
        column_blocks = ceil_div(s.out_channels, kWinogradColumns);
        by_filters = s.tiles <= kFewTiles && column_blocks >= threads;
        // As many blocks as make the threads' shares equal, if tiles are divided.
        tile_blocks = ceil_div(s.tiles, kTileBlock);
        if (!by_filters) tile_blocks = std::min(ceil_div(tile_blocks, threads) * threads, s.tiles);
        workers = std::min<int64_t>(threads, by_filters ? column_blocks : tile_blocks);
        const int64_t kept_tiles = by_filters ? s.tiles : ceil_div(s.tiles, tile_blocks);

        Scratch scratch(memory);
        zeros = scratch.take(s.in_channels);
        no_bias = scratch.take(s.out_channels);
        const int64_t columns = block_columns(s.out_channels);
        const int64_t depth = by_filters ? std::min(kSlice, s.in_channels) : s.in_channels;
        filters = matrices(depth, columns);
        image = matrices(kept_tiles, depth);
        product = matrices(kept_tiles, columns);
        filters.data = packed ? nullptr : scratch.take(floats(filters) * (by_filters ? workers : column_blocks));
        image.data = scratch.take(floats(image) * (by_filters ? ceil_div(s.in_channels, kSlice) : workers));
        product.data = scratch.take(floats(product) * workers);
        bytes = scratch.bytes();
        if (memory == nullptr) return;
        std::fill_n(zeros, s.in_channels, 0.0f);
        std::fill_n(no_bias, s.out_channels, 0.0f);
    }

    WinogradRange tiles_of(int64_t block) const { return share(shape.tiles, block, tile_blocks); }

    int64_t columns_of(int64_t block) const {
        return std::min(kWinogradColumns, shape.out_channels - block * kWinogradColumns);
    }

    /// find(block, ins, worker) gives the transformed filters of a block of out channels, from those in channels.
    template <class Find>
    void run_by_filters(const Context& context, const float* x, const WinogradResult& result, const Find& find) const {
        const int64_t slices = ceil_div(shape.in_channels, kSlice);
        parallel_for(context, slices, [&](int64_t slice) {
            kernels.take_image(shape, {0, shape.tiles}, slice_of(shape.in_channels, slice), x, zeros,
                               nth(image, slice));
        });
        parallel_for(context, workers, [&](int64_t worker) {
            const WinogradMatrices sums = nth(product, worker);
            const WinogradRange blocks = share(column_blocks, worker, workers);
            for (int64_t block = blocks.first; block < blocks.first + blocks.count; ++block) {
                const int64_t columns = columns_of(block);
                for (int64_t slice = 0; slice < slices; ++slice) {
                    const WinogradRange ins = slice_of(shape.in_channels, slice);
                    kernels.multiply(shape.tiles, columns, ins.count, nth(image, slice), find(block, ins, worker), sums,
                                     slice > 0);
                }
                kernels.give_result(shape, {0, shape.tiles}, block * kWinogradColumns, columns, sums, result);
            }
        });
    }

    /// find(block) gives the transformed filters of a block of out channels.
    template <class Find>
    void run_by_tiles(const Context& context, const float* x, const WinogradResult& result, const Find& find) const {
        parallel_for(context, workers, [&](int64_t worker) {
            const WinogradMatrices of_image = nth(image, worker);
            const WinogradMatrices sums = nth(product, worker);
            const WinogradRange blocks = share(tile_blocks, worker, workers);
            for (int64_t tile_block = blocks.first; tile_block < blocks.first + blocks.count; ++tile_block) {
                const WinogradRange tiles = tiles_of(tile_block);
                kernels.take_image(shape, tiles, {0, shape.in_channels}, x, zeros, of_image);
                for (int64_t block = 0; block < column_blocks; ++block) {
                    const int64_t columns = columns_of(block);
                    kernels.multiply(tiles.count, columns, shape.in_channels, of_image, find(block), sums, false);
                    kernels.give_result(shape, tiles, block * kWinogradColumns, columns, sums, result);
                }
            }
        });
    }

    /// With filters to transform.
    void run(const Context& context, const float* x, WinogradFilters of, TakeFilters take,
             const WinogradResult& result) const {
        if (by_filters) {
            run_by_filters(context, x, result, [&](int64_t block, WinogradRange ins, int64_t worker) {
                take(of, block * kWinogradColumns, ins, nth(filters, worker));
                return nth(filters, worker);
            });
            return;
        }
        const int64_t slices = ceil_div(shape.in_channels, kSlice);
        parallel_for(context, column_blocks * slices, [&](int64_t task) {
            const int64_t block = task / slices;
            const WinogradRange ins = slice_of(shape.in_channels, task % slices);
            take(of, block * kWinogradColumns, ins, at(nth(filters, block), ins.first, 0));
        });
        run_by_tiles(context, x, result, [&](int64_t block) { return nth(filters, block); });
    }

    /// With filters that winograd_pack transformed.
    void run(const Context& context, const float* x, WinogradMatrices packed, const WinogradResult& result) const {
        if (by_filters) {
            run_by_filters(context, x, result, [&](int64_t block, WinogradRange ins, int64_t) {
                return at(nth(packed, block), ins.first, 0);
            });
        } else {
            run_by_tiles(context, x, result, [&](int64_t block) { return nth(packed, block); });
        }
    }

    const WinogradShape shape;
    const WinogradKernels& kernels;
    const int64_t threads;
    int64_t column_blocks, tile_blocks, workers;
    bool by_filters;
    float* zeros;
    float* no_bias;
    WinogradMatrices filters;  // by_filters: a slice of a block for each worker; else all blocks
    WinogradMatrices image;    // by_filters: all tiles, in slices; else a block for each worker
    WinogradMatrices product;  // for each worker, of as many tiles
    size_t bytes;
};

/// How the gradient of the filters is found.
struct FilterGradient {
    FilterGradient(const Context& context, const WinogradShape& s, void* memory)
        : shape(s), kernels(winograd_kernels(context.isa)) {
        in_blocks = ceil_div(s.in_channels, kSlice);
        out_blocks = ceil_div(s.out_channels, kSlice);
        // Whichever needs less memory, which is also what leaves the caches less often.
        by_filters = s.tiles * (s.in_channels + s.out_channels) < context.threads * s.in_channels * s.out_channels &&
                     in_blocks * out_blocks >= context.threads;
        tile_blocks = ceil_div(s.tiles, kGradientTileBlock);
        if (!by_filters) tile_blocks = std::min(ceil_div(tile_blocks, context.threads) * context.threads, s.tiles);
        workers = std::min<int64_t>(context.threads, by_filters ? in_blocks * out_blocks : tile_blocks);
        const int64_t kept_tiles = by_filters ? s.tiles : ceil_div(s.tiles, tile_blocks);

        Scratch scratch(memory);
        zeros = scratch.take(std::max(s.in_channels, s.out_channels));
        const int64_t ins = by_filters ? std::min(kSlice, s.in_channels) : s.in_channels;
        const int64_t outs = by_filters ? std::min(kSlice, s.out_channels) : s.out_channels;
        image = matrices(kept_tiles, ins);
        gradient = matrices(kept_tiles, outs);
        filters = matrices(outs, ins);
        image.data = scratch.take(floats(image) * (by_filters ? in_blocks : workers));
        gradient.data = scratch.take(floats(gradient) * (by_filters ? out_blocks : workers));
        filters.data = scratch.take(floats(filters) * workers);
        bytes = scratch.bytes();
        if (memory != nullptr) std::fill_n(zeros, std::max(s.in_channels, s.out_channels), 0.0f);
    }

    WinogradRange tiles_of(int64_t block) const { return share(shape.tiles, block, tile_blocks); }

    void run(const Context& context, const float* x, const float* dy, float* dweight) const {
        by_filters ? run_by_filters(context, x, dy, dweight) : run_by_tiles(context, x, dy, dweight);
    }

    void run_by_tiles(const Context& context, const float* x, const float* dy, float* dweight) const {
        parallel_for(context, workers, [&](int64_t worker) {
            const WinogradMatrices of_image = nth(image, worker);
            const WinogradMatrices of_gradient = nth(gradient, worker);
            const WinogradMatrices sums = nth(filters, worker);
            std::fill_n(sums.data, floats(sums), 0.0f);
            const WinogradRange blocks = share(tile_blocks, worker, workers);
            for (int64_t block = blocks.first; block < blocks.first + blocks.count; ++block) {
                const WinogradRange tiles = tiles_of(block);
                kernels.take_image(shape, tiles, {0, shape.in_channels}, x, zeros, of_image);
                kernels.take_gradient(shape, tiles, {0, shape.out_channels}, dy, zeros, of_gradient);
                for (int64_t in = 0; in < shape.in_channels; in += kWinogradColumns) {
                    kernels.multiply_transposed(shape.out_channels, std::min(kWinogradColumns, shape.in_channels - in),
                                                tiles.count, of_gradient, at(of_image, 0, in), at(sums, 0, in));
                }
            }
        });
        parallel_for(context, shape.out_channels, [&](int64_t out) {
            kernels.give_filter(filters, out, shape.in_channels, workers, floats(filters),
                                dweight + out * 9 * shape.in_channels, shape.in_channels);
        });
    }

    void run_by_filters(const Context& context, const float* x, const float* dy, float* dweight) const {
        parallel_for(context, in_blocks + out_blocks, [&](int64_t task) {
            if (task < in_blocks) {
                kernels.take_image(shape, {0, shape.tiles}, slice_of(shape.in_channels, task), x, zeros,
                                   nth(image, task));
            } else {
                const int64_t slice = task - in_blocks;
                kernels.take_gradient(shape, {0, shape.tiles}, slice_of(shape.out_channels, slice), dy, zeros,
                                      nth(gradient, slice));
            }
        });
        parallel_for(context, workers, [&](int64_t worker) {
            const WinogradMatrices sums = nth(filters, worker);
            const WinogradRange tasks = share(in_blocks * out_blocks, worker, workers);
            for (int64_t task = tasks.first; task < tasks.first + tasks.count; ++task) {
                const WinogradRange ins = slice_of(shape.in_channels, task % in_blocks);
                const WinogradRange outs = slice_of(shape.out_channels, task / in_blocks);
                std::fill_n(sums.data, floats(sums), 0.0f);
                kernels.multiply_transposed(outs.count, ins.count, shape.tiles, nth(gradient, task / in_blocks),
                                            nth(image, task % in_blocks), sums);
                for (int64_t row = 0; row < outs.count; ++row) {
                    kernels.give_filter(sums, row, ins.count, 1, 0,
                                        dweight + (outs.first + row) * 9 * shape.in_channels + ins.first,
                                        shape.in_channels);
                }
            }
        });
    }

    const WinogradShape shape;
    const WinogradKernels& kernels;
    int64_t in_blocks, out_blocks, tile_blocks, workers;
    bool by_filters;
    float* zeros;
    WinogradMatrices image, gradient;  // by_filters: of all tiles, in slices; else a block for each worker
    WinogradMatrices filters;          // the gradient's sums of each worker
    size_t bytes;
};

WinogradFilters filters_of(const velu_conv2d_desc& d, const float* weight) {
    return {weight, d.out_channels, d.in_channels};
}

/// The first block of packed filters.
WinogradMatrices packed_filters(const velu_conv2d_desc& d, void* packed) {
    WinogradMatrices made = matrices(d.in_channels, block_columns(d.out_channels));
    made.data = static_cast<float*>(packed);
    return made;
}

}  // namespace

bool has_winograd(const Context& context, const velu_conv2d_desc& d) {
    return context.isa != VELU_ISA_BASELINE && d.dtype == VELU_DTYPE_F32 && d.groups == 1 && d.kernel_height == 3 &&
           d.kernel_width == 3 && d.stride_height == 1 && d.stride_width == 1 && d.dilation_height == 1 &&
           d.dilation_width == 1 && d.padding_height <= 2 && d.padding_width <= 2;
}

const char* winograd_name(const Context& context) {
    return context.isa == VELU_ISA_AVX512 ? "winograd:avx512" : "winograd:avx2";
}

size_t winograd_scratch_bytes(const Context& context, const velu_conv2d_desc& d, int32_t pass) {
    switch (pass) {
        case VELU_PASS_FORWARD:
            return Convolution(context, forward_shape(d), false, nullptr).bytes;
        case VELU_PASS_BACKWARD_DATA:
            return Convolution(context, backward_shape(d), false, nullptr).bytes;
        default:
            return FilterGradient(context, forward_shape(d), nullptr).bytes;
    }
}

void winograd_forward(const Context& context, const velu_conv2d_desc& d, const float* x, const float* weight,
                      const float* bias, void* scratch, float* y) {
    const Convolution convolution(context, forward_shape(d), false, scratch);
    convolution.run(context, x, filters_of(d, weight), convolution.kernels.take_filters,
                    {bias == nullptr ? convolution.no_bias : bias, nullptr, d.activation, y});
}

void winograd_backward_data(const Context& context, const velu_conv2d_desc& d, const float* dy, const float* weight,
                            void* scratch, float* dx) {
    const Convolution convolution(context, backward_shape(d), false, scratch);
    convolution.run(context, dy, filters_of(d, weight), convolution.kernels.take_turned_filters,
                    {convolution.no_bias, nullptr, VELU_ACTIVATION_IDENTITY, dx});
}

void winograd_backward_weights(const Context& context, const velu_conv2d_desc& d, const float* x, const float* dy,
                               void* scratch, float* dweight) {
    FilterGradient(context, forward_shape(d), scratch).run(context, x, dy, dweight);
}

size_t winograd_packed_bytes(const velu_conv2d_desc& d) {
    const int64_t blocks = ceil_div(d.out_channels, kWinogradColumns);
    return static_cast<size_t>(blocks * floats(packed_filters(d, nullptr))) * sizeof(float);
}

void winograd_pack(const Context& context, const velu_conv2d_desc& d, const float* weight, void* packed) {
    const WinogradKernels& kernels = winograd_kernels(context.isa);
    const WinogradMatrices to = packed_filters(d, packed);
    parallel_for(context, ceil_div(d.out_channels, kWinogradColumns), [&](int64_t block) {
        kernels.take_filters(filters_of(d, weight), block * kWinogradColumns, {0, d.in_channels}, nth(to, block));
    });
}

size_t winograd_packed_scratch_bytes(const Context& context, const velu_conv2d_desc& d) {
    return Convolution(context, forward_shape(d), true, nullptr).bytes;
}

void winograd_packed_forward(const Context& context, const velu_conv2d_desc& d, const float* x, const void* packed,
                             const float* bias, const float* residual, void* scratch, float* y) {
    // Only read, but the same type serves both.
    const WinogradMatrices filters = packed_filters(d, const_cast<void*>(packed));
    Convolution(context, forward_shape(d), true, scratch).run(context, x, filters, {bias, residual, d.activation, y});
}

}  // namespace velu::cpu
