// Batch normalization with the residual sum and the activation that follow it.
//
// Training forward reads x twice (statistics, then apply) and writes y. ReLU and ReLU6 are part of the kernels; other
// activations, VeLU's row statistic included, are applied to tiles of rows that have just been computed, in float32,
// and are still in the first cache level.
// Backward sums dz, the gradient of the activation's input z, in its first pass over x and dy, and computes dx in its
// second. Where there is no residual, ReLU's and ReLU6's dz is cheaper to compute twice than to keep. In other cases z
// is recomputed into a tile, and dz is kept where nothing else has to be: in dresidual, in dx, or else in scratch
// memory.
//
// Work is divided into parts of rows by the shape alone; each part has its own sums, joined in order.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/activation_kernels.h"
#include "cpu/isa/batch_norm_kernels.h"
#include "cpu/isa/cast_kernels.h"
#include "cpu/isa/velu_kernels.h"
#include "cpu/moments.h"
#include "cpu/operations.h"
#include "cpu/velu_constants.h"

namespace velu::cpu {

namespace {

/// Elements of the rows that are worked on at once: 16 KiB, so that several such arrays share a cache.
constexpr int64_t kTile = 4096;

/// Channels whose sums one task joins.
constexpr int64_t kChannelTile = 64;

/// A division of rows into equal pieces (the last may be shorter).
struct Division {
    int64_t rows;
    int64_t rows_per_piece;
    int64_t count;

    Division(int64_t all_rows, int64_t piece)
        : rows(all_rows),
          rows_per_piece(std::clamp<int64_t>(piece, 1, all_rows)),
          count((all_rows + rows_per_piece - 1) / rows_per_piece) {}

    int64_t first(int64_t piece) const { return piece * rows_per_piece; }
    int64_t size(int64_t piece) const { return std::min(rows_per_piece, rows - first(piece)); }
};

/// Tiles of rows that stay in the first cache level.
Division tiles(int64_t rows, int64_t channels) {
    return {rows, kTile / channels};
}

/// Parts with their own sums per channel: whole stretches of the kernels, and at most 256, so that the sums stay small
/// beside the data.
Division parts(int64_t rows) {
    const int64_t stretches = (rows + kBatchNormStretch - 1) / kBatchNormStretch;
    return {rows, (stretches + 255) / 256 * kBatchNormStretch};
}

/// Whether the kernels apply the activation themselves.
bool in_kernels(int32_t activation) {
    return activation == VELU_ACTIVATION_IDENTITY || activation == VELU_ACTIVATION_RELU ||
           activation == VELU_ACTIVATION_RELU6;
}

/// As parallel_for, with each thread's blocks from the last to the first: what the pass before has touched last, and
/// the cache still holds, comes first.
template <class Body>
void parallel_for_backwards(const Context& context, int64_t blocks, const Body& body) {
    const auto threads = std::clamp<int64_t>(context.threads, 1, blocks);
    parallel_for(context, threads, [&](int64_t thread) {
        const int64_t first = blocks * thread / threads;
        for (int64_t block = blocks * (thread + 1) / threads - 1; block >= first; --block) body(block);
    });
}

/// The running thread's own piece of an array with one of `size` elements for each thread of the context. Where
/// parallel_for makes no threads of its own, the number is that of the caller's, which may be any.
template <class T>
T* of_thread(const Context& context, T* pieces, int64_t size) {
    return pieces + std::min(omp_get_thread_num(), std::max(1, context.threads) - 1) * size;
}

/// Cuts one piece of workspace into arrays aligned to 64 bytes. First every array is asked for with nothing reserved,
/// to learn the size; then again for real.
class Layout {
public:
    template <class T>
    T* array(int64_t count) {
        const size_t start = used_;
        used_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
        return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + start);
    }
    void reserve(Workspace& workspace) {
        base_ = static_cast<unsigned char*>(workspace.reserve(used_));
        used_ = 0;
    }

private:
    unsigned char* base_ = nullptr;
    size_t used_ = 0;
};

/// Lays out a scratch struct, whose place(Layout&) asks for its arrays.
template <class Scratch>
void reserve(Context& context, Scratch& scratch) {
    Layout layout;
    scratch.place(layout);
    layout.reserve(context.workspace);
    scratch.place(layout);
}

/// kKinds sums per channel for each part.
template <int kKinds>
struct ChannelSums {
    double* memory;
    int64_t parts;
    int64_t channels;

    static ChannelSums place(Layout& layout, int64_t parts, int64_t channels) {
        return {layout.array<double>(parts * kKinds * channels), parts, channels};
    }
    double* of(int64_t part, int kind) const { return memory + (part * kKinds + kind) * channels; }
    void clear(int64_t part) const { std::fill_n(of(part, 0), kKinds * channels, 0.0); }

    /// finish(channel, sums of each kind) for every channel, with all parts added in order.
    template <class Finish>
    void join(const Context& context, const Finish& finish) const {
        parallel_for(context, (channels + kChannelTile - 1) / kChannelTile, [&](int64_t tile) {
            const int64_t start = tile * kChannelTile;
            const int64_t size = std::min(kChannelTile, channels - start);
            double joined[kChannelTile][kKinds] = {};
            for (int64_t part = 0; part < parts; ++part) {
                for (int kind = 0; kind < kKinds; ++kind) {
                    const double* sums = of(part, kind) + start;
                    for (int64_t i = 0; i < size; ++i) joined[i][kind] += sums[i];
                }
            }
            for (int64_t i = 0; i < size; ++i) finish(start + i, joined[i]);
        });
    }
};

/// Elements from one row to the next.
int64_t pitch_of(int64_t pitch, int64_t channels) {
    return pitch == 0 ? channels : pitch;
}

/// y = f(z) in place over a tile; stores the moments of A for VeLU if wanted.
void activate(int32_t isa, int32_t activation, const VeluConstants& velu, float* y, int64_t rows, int64_t channels,
              Moments* moments) {
    if (activation == VELU_ACTIVATION_VELU) {
        velu_kernels(isa).of<float>().forward(velu, y, y, rows, channels, moments);
    } else {
        activation_kernels(isa).of<float>().forward(activation, y, y, rows * channels);
    }
}

/// What one apply pass needs besides the descriptor. z: a tile per thread where y cannot hold float32, or NULL.
template <class T>
struct Apply {
    BatchNormAffine affine;
    const T* x;
    const T* residual;
    T* y;
    float* z;
};

template <class T>
void apply(Context& context, const velu_batch_norm_desc& desc, const Apply<T>& a, const float* lambda,
           Moments* tile_moments, float* moments) {
    const BatchNormKernels<T>& kernels = batch_norm_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    const Division division = tiles(desc.rows, channels);
    const int64_t x_pitch = pitch_of(desc.x_pitch, channels);
    const bool whole = in_kernels(desc.activation);
    VeluConstants velu{};
    if (desc.activation == VELU_ACTIVATION_VELU) velu = forward_constants(context, desc.params, lambda);
    parallel_for(context, division.count, [&](int64_t tile) {
        const int64_t start = division.first(tile) * channels;
        const int64_t rows = division.size(tile);
        const T* from = a.x + division.first(tile) * x_pitch;
        const T* added = a.residual == nullptr ? nullptr : a.residual + start;
        T* to = a.y + start;
        if (whole) return kernels.forward(desc.activation, a.affine, from, x_pitch, added, to, rows, channels);
        Moments* wanted = moments == nullptr ? nullptr : tile_moments + tile;
        if constexpr (std::is_same_v<T, float>) {
            kernels.normalize(a.affine, from, x_pitch, added, to, rows, channels);
            activate(context.isa, desc.activation, velu, to, rows, channels, wanted);
        } else {
            float* z = of_thread(context, a.z, division.rows_per_piece * channels);
            kernels.normalize(a.affine, from, x_pitch, added, z, rows, channels);
            activate(context.isa, desc.activation, velu, z, rows, channels, wanted);
            cast_kernels(context.isa).to_bfloat16(z, to, rows * channels);
        }
    });
    if (moments != nullptr) store_moments(merge_all(tile_moments, division.count), moments);
}

/// Moments are those of VeLU's A; no other activation has them.
float* wanted_moments(const velu_batch_norm_desc& desc, float* moments) {
    return desc.activation == VELU_ACTIVATION_VELU ? moments : nullptr;
}

/// Elements of a tile per thread.
int64_t elements_of_tiles(const Context& context, const velu_batch_norm_desc& desc) {
    return std::max(1, context.threads) * tiles(desc.rows, desc.channels).rows_per_piece * desc.channels;
}

struct ForwardScratch {
    int64_t channels, part_count, tile_count, z_elements;  // 0 parts in inference, 0 tiles without moments
    ChannelSums<2> sums;                                   // of x - shift and its square
    float* mean_low;
    float* scale;
    Moments* moments;
    float* z;

    ForwardScratch(Context& context, const velu_batch_norm_desc& desc, int64_t parts, bool with_moments)
        : channels(desc.channels),
          part_count(parts),
          tile_count(with_moments ? tiles(desc.rows, desc.channels).count : 0),
          z_elements(desc.dtype == VELU_DTYPE_BF16 && !in_kernels(desc.activation) ? elements_of_tiles(context, desc)
                                                                                   : 0) {
        reserve(context, *this);
    }

    void place(Layout& layout) {
        sums = ChannelSums<2>::place(layout, part_count, channels);
        mean_low = layout.array<float>(channels);
        scale = layout.array<float>(channels);
        moments = layout.array<Moments>(tile_count);
        z = layout.array<float>(z_elements);
    }
};

struct BackwardScratch {
    int64_t channels, part_count, z_elements, dz_bytes;
    ChannelSums<3> sums;  // of dz, dz (x - mean) and x - mean
    float* scale;
    float* offset;
    float* slope;
    double* dlambda;
    float* z;                // a tile per thread
    float* upstream;         // another, for dy and dz in float32
    unsigned char* dz = {};  // the whole tensor, where it has no other place

    void place(Layout& layout) {
        sums = ChannelSums<3>::place(layout, part_count, channels);
        scale = layout.array<float>(channels);
        offset = layout.array<float>(channels);
        slope = layout.array<float>(channels);
        dlambda = layout.array<double>(part_count);
        z = layout.array<float>(z_elements);
        upstream = layout.array<float>(z_elements);
        dz = layout.array<unsigned char>(dz_bytes);
    }
};

/// Sums of x - shift and its square per part. With an element of the channel as shift, (mean - shift)^2 <= rows *
/// variance, and float64 has the digits for the difference of the two sums.
template <class T>
void sum_parts(const Context& context, const velu_batch_norm_desc& desc, const T* x, const ChannelSums<2>& sums) {
    const BatchNormKernels<T>& kernels = batch_norm_kernels(context.isa).of<T>();
    const int64_t x_pitch = pitch_of(desc.x_pitch, desc.channels);
    const Division division = parts(desc.rows);
    parallel_for_backwards(context, division.count, [&](int64_t part) {
        sums.clear(part);
        kernels.sums(x + division.first(part) * x_pitch, x_pitch, x, division.size(part), desc.channels,
                     sums.of(part, 0), sums.of(part, 1));
    });
}

/// What batch_norm_backward is given, in the type of its tensors.
template <class T>
struct Backward {
    const velu_batch_norm_desc& desc;
    const T* x;
    const T* dy;
    const T* residual;
    const T* addend;
    T* dx;
    T* dresidual;
    const float* weight;
    const float* bias;
    const float* lambda;
    const float* saved_mean;
    const float* saved_inv_std;
    const float* moments;
    float* dweight;
    float* dbias;
    float* dlambda;
};

/// dz of one tile in float32's formulas, stored in T. z, upstream: a tile of the thread each.
template <class T>
void activation_gradient(const Context& context, const Backward<T>& b, const VeluConstants& velu, const float* z,
                         float* upstream, const T* dy, T* dz, int64_t rows, double* dlambda) {
    const int64_t elements = rows * b.desc.channels;
    const float* from;
    float* to;
    if constexpr (std::is_same_v<T, float>) {
        from = dy;
        to = dz;
    } else {
        cast_kernels(context.isa).to_float(dy, upstream, elements);
        from = upstream;
        to = upstream;
    }
    if (b.desc.activation == VELU_ACTIVATION_VELU) {
        double of_tile = 0;
        velu_kernels(context.isa).of<float>().backward(velu, z, from, to, rows, b.desc.channels, &of_tile, nullptr);
        *dlambda += of_tile;
    } else {
        activation_kernels(context.isa).of<float>().backward(b.desc.activation, z, from, to, elements);
    }
    if constexpr (!std::is_same_v<T, float>) cast_kernels(context.isa).to_bfloat16(to, dz, elements);
}

template <class T>
void backward(Context& context, const Backward<T>& b) {
    const velu_batch_norm_desc& desc = b.desc;
    const BatchNormKernels<T>& kernels = batch_norm_kernels(context.isa).of<T>();
    const int64_t channels = desc.channels;
    const auto n = static_cast<double>(desc.rows);
    const int64_t x_pitch = pitch_of(desc.x_pitch, channels);
    const int64_t dx_pitch = pitch_of(desc.dx_pitch, channels);
    const int64_t addend_pitch = pitch_of(desc.dx_addend_pitch, channels);
    const bool is_velu = desc.activation == VELU_ACTIVATION_VELU;
    const bool identity = desc.activation == VELU_ACTIVATION_IDENTITY;
    const bool whole = in_kernels(desc.activation);
    const bool dx_can_hold_dz = dx_pitch == channels && b.addend != b.dx;

    const Division division = parts(desc.rows);
    BackwardScratch scratch{};
    scratch.channels = channels;
    scratch.part_count = division.count;
    scratch.z_elements = whole ? 0 : elements_of_tiles(context, desc);
    if (!whole && b.residual == nullptr && !dx_can_hold_dz) {
        scratch.dz_bytes = desc.rows * channels * static_cast<int64_t>(sizeof(T));
    }
    reserve(context, scratch);

    // Where dz is kept: the residual's gradient is dz itself, and without activation dz is dy.
    T* kept = b.residual != nullptr ? b.dresidual : dx_can_hold_dz ? b.dx : reinterpret_cast<T*>(scratch.dz);
    if (whole && b.residual == nullptr) kept = nullptr;
    for (int64_t c = 0; c < channels; ++c) scratch.scale[c] = b.weight[c] * b.saved_inv_std[c];
    const BatchNormAffine affine{b.saved_mean, nullptr, scratch.scale, b.bias};
    VeluConstants velu{};
    if (is_velu) {
        velu = backward_constants(context, desc.params, b.lambda, desc.w2_weight, b.moments,
                                  n * static_cast<double>(channels));
    }

    parallel_for_backwards(context, division.count, [&](int64_t part) {
        scratch.sums.clear(part);
        scratch.dlambda[part] = 0;
        double* const dz_sums = scratch.sums.of(part, 0);
        double* const products = scratch.sums.of(part, 1);
        double* const deviations = scratch.sums.of(part, 2);
        const int64_t part_first = division.first(part);
        if (whole) {
            const int64_t start = part_first * channels;
            T* to = kept == nullptr || identity ? nullptr : kept + start;
            if (identity && kept != nullptr && kept != b.dy) {
                std::memcpy(kept + start, b.dy + start,
                            static_cast<size_t>(division.size(part) * channels) * sizeof(T));
            }
            kernels.gradient_sums(desc.activation, affine, b.x + part_first * x_pitch, x_pitch,
                                  b.residual == nullptr ? nullptr : b.residual + start, b.dy + start, to,
                                  division.size(part), channels, dz_sums, products, deviations);
            return;
        }
        // dz by tiles, then its sums by stretches that are still in the second cache level.
        const int64_t tile_elements = tiles(desc.rows, channels).rows_per_piece * channels;
        float* z = of_thread(context, scratch.z, tile_elements);
        float* upstream = of_thread(context, scratch.upstream, tile_elements);
        const Division stretches(division.size(part), kBatchNormStretch);
        for (int64_t stretch = 0; stretch < stretches.count; ++stretch) {
            const int64_t first = part_first + stretches.first(stretch);
            const Division inner = tiles(stretches.size(stretch), channels);
            for (int64_t tile = 0; tile < inner.count; ++tile) {
                const int64_t row = first + inner.first(tile);
                const int64_t start = row * channels;
                kernels.normalize(affine, b.x + row * x_pitch, x_pitch,
                                  b.residual == nullptr ? nullptr : b.residual + start, z, inner.size(tile), channels);
                activation_gradient(context, b, velu, z, upstream, b.dy + start, kept + start, inner.size(tile),
                                    &scratch.dlambda[part]);
            }
            kernels.gradient_sums(VELU_ACTIVATION_IDENTITY, affine, b.x + first * x_pitch, x_pitch, nullptr,
                                  kept + first * channels, nullptr, stretches.size(stretch), channels, dz_sums,
                                  products, deviations);
        }
    });

    if (is_velu && b.dlambda != nullptr) {
        double sum = 0;
        for (int64_t part = 0; part < division.count; ++part) sum += scratch.dlambda[part];
        *b.dlambda = static_cast<float>(sum);
    }
    scratch.sums.join(context, [&](int64_t c, const double* sums) {
        const auto inv_std = static_cast<double>(b.saved_inv_std[c]);
        const double dz_sum = sums[0];
        // What float32 lost of the mean, visible where the mean is much larger than the deviations.
        const double mean_low = sums[2] / n;
        const double product = sums[1] - mean_low * dz_sum;
        const double slope = product * inv_std * inv_std / n;
        b.dbias[c] = static_cast<float>(dz_sum);
        b.dweight[c] = static_cast<float>(product * inv_std);
        scratch.offset[c] = static_cast<float>(dz_sum / n - mean_low * slope);
        scratch.slope[c] = static_cast<float>(slope);
    });

    // dz as it was kept, or once more from dy.
    const bool again = kept == nullptr;
    const T* dz = again || identity ? b.dy : kept;
    const Division all_tiles = tiles(desc.rows, channels);
    parallel_for(context, all_tiles.count, [&](int64_t tile) {
        const int64_t first = all_tiles.first(tile);
        kernels.input_gradient(again ? desc.activation : VELU_ACTIVATION_IDENTITY, affine, scratch.offset,
                               scratch.slope, b.x + first * x_pitch, x_pitch, dz + first * channels,
                               b.addend == nullptr ? nullptr : b.addend + first * addend_pitch, addend_pitch,
                               b.dx + first * dx_pitch, dx_pitch, all_tiles.size(tile), channels);
    });
}

}  // namespace

velu_status batch_norm_forward_training(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x,
                                        const float* weight, const float* bias, const void* residual,
                                        const float* lambda, float* running_mean, float* running_var,
                                        int64_t* num_batches_tracked, void* y, float* saved_mean, float* saved_inv_std,
                                        float* moments) {
    return guarded(context, [&]() -> velu_status {
        Context& ctx = cpu(context);
        moments = wanted_moments(*desc, moments);
        const ForwardScratch scratch(ctx, *desc, parts(desc->rows).count, moments != nullptr);
        with_element(desc->dtype, [&]<class T>(T) { sum_parts(ctx, *desc, static_cast<const T*>(x), scratch.sums); });

        const auto n = static_cast<double>(desc->rows);
        const auto momentum = static_cast<double>(desc->momentum);
        const auto shift = [&](int64_t c) {
            return with_element(desc->dtype,
                                [&]<class T>(T) { return static_cast<double>(value_of(static_cast<const T*>(x)[c])); });
        };
        scratch.sums.join(ctx, [&](int64_t c, const double* sums) {
            const double offset = sums[0] / n;
            const double mean = shift(c) + offset;
            double m2 = sums[1] - offset * sums[0];
            if (m2 < 0) m2 = 0;
            const double inv_std = 1.0 / std::sqrt(m2 / n + static_cast<double>(desc->eps));
            saved_mean[c] = static_cast<float>(mean);
            saved_inv_std[c] = static_cast<float>(inv_std);
            scratch.mean_low[c] = static_cast<float>(mean - static_cast<double>(saved_mean[c]));
            scratch.scale[c] = static_cast<float>(static_cast<double>(weight[c]) * inv_std);
            if (running_mean != nullptr) {
                running_mean[c] =
                    static_cast<float>((1.0 - momentum) * static_cast<double>(running_mean[c]) + momentum * mean);
            }
            if (running_var != nullptr) {
                running_var[c] = static_cast<float>((1.0 - momentum) * static_cast<double>(running_var[c]) +
                                                    momentum * m2 / (n - 1.0));
            }
        });
        if (num_batches_tracked != nullptr) ++*num_batches_tracked;

        const BatchNormAffine affine{saved_mean, scratch.mean_low, scratch.scale, bias};
        with_element(desc->dtype, [&]<class T>(T) {
            apply<T>(ctx, *desc,
                     {affine, static_cast<const T*>(x), static_cast<const T*>(residual), static_cast<T*>(y), scratch.z},
                     lambda, scratch.moments, moments);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status batch_norm_forward_inference(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x,
                                         const float* weight, const float* bias, const void* residual,
                                         const float* lambda, const float* running_mean, const float* running_var,
                                         void* y, float* moments) {
    return guarded(context, [&]() -> velu_status {
        Context& ctx = cpu(context);
        moments = wanted_moments(*desc, moments);
        const ForwardScratch scratch(ctx, *desc, 0, moments != nullptr);
        for (int64_t c = 0; c < desc->channels; ++c) {
            const double variance = static_cast<double>(running_var[c]) + static_cast<double>(desc->eps);
            scratch.scale[c] = static_cast<float>(static_cast<double>(weight[c]) / std::sqrt(variance));
        }
        const BatchNormAffine affine{running_mean, nullptr, scratch.scale, bias};
        with_element(desc->dtype, [&]<class T>(T) {
            apply<T>(ctx, *desc,
                     {affine, static_cast<const T*>(x), static_cast<const T*>(residual), static_cast<T*>(y), scratch.z},
                     lambda, scratch.moments, moments);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status batch_norm_backward(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x, const void* dy,
                                const float* weight, const float* bias, const void* residual, const float* lambda,
                                const float* saved_mean, const float* saved_inv_std, const float* moments,
                                const void* dx_addend, void* dx, void* dresidual, float* dweight, float* dbias,
                                float* dlambda) {
    return guarded(context, [&] {
        with_element(desc->dtype, [&]<class T>(T) {
            backward<T>(cpu(context),
                        {*desc, static_cast<const T*>(x), static_cast<const T*>(dy), static_cast<const T*>(residual),
                         static_cast<const T*>(dx_addend), static_cast<T*>(dx), static_cast<T*>(dresidual), weight,
                         bias, lambda, saved_mean, saved_inv_std, moments, dweight, dbias, dlambda});
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
