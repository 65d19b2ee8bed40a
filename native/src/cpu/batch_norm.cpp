// Batch normalization with the residual sum and the activation that follow it.
//
// Training forward reads x twice (statistics, then apply) and writes y; the activation, VeLU's row statistic included,
// is applied to rows that have just been written and are still in the first cache level. Backward recomputes the
// activation's input z row by row into a small buffer, writes dz and sums it in its first pass, and turns dz into dx in
// its second. dz is kept where nothing else has to be: in dresidual, in dy itself, in dx, or else in scratch memory.
//
// Work is divided into parts of rows by the shape alone; each part has its own sums, joined in order.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/context.h"
#include "cpu/isa/activation_kernels.h"
#include "cpu/isa/batch_norm_kernels.h"
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

/// Parts with their own sums per channel: at most 256, so that the sums stay small beside the data.
Division parts(int64_t rows) {
    return {rows, std::max<int64_t>(16, (rows + 255) / 256)};
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
        velu_kernels(isa).forward(velu, y, y, rows, channels, moments);
    } else if (activation != VELU_ACTIVATION_IDENTITY) {
        activation_kernels(isa).forward(activation, y, y, rows * channels);
    }
}

/// What one apply pass needs; the arrays are per channel.
struct Apply {
    const float* x;
    const float* residual;
    const float* mean;
    const float* mean_low;
    const float* scale;
    const float* bias;
    float* y;
};

void apply(const Context& context, const velu_batch_norm_desc& desc, const Apply& a, const float* lambda,
           Moments* tile_moments, float* moments) {
    const BatchNormKernels& kernels = batch_norm_kernels(context.isa);
    const Division division = tiles(desc.rows, desc.channels);
    const int64_t x_pitch = pitch_of(desc.x_pitch, desc.channels);
    VeluConstants velu{};
    if (desc.activation == VELU_ACTIVATION_VELU) velu = forward_constants(desc.params, lambda);
    parallel_for(context, division.count, [&](int64_t tile) {
        const int64_t start = division.first(tile) * desc.channels;
        const int64_t rows = division.size(tile);
        kernels.normalize(a.x + division.first(tile) * x_pitch, x_pitch,
                          a.residual == nullptr ? nullptr : a.residual + start, a.mean, a.mean_low, a.scale, a.bias,
                          a.y + start, rows, desc.channels);
        activate(context.isa, desc.activation, velu, a.y + start, rows, desc.channels,
                 moments == nullptr ? nullptr : tile_moments + tile);
    });
    if (moments != nullptr) store_moments(merge_all(tile_moments, division.count), moments);
}

/// Moments are those of VeLU's A; no other activation has them.
float* wanted_moments(const velu_batch_norm_desc& desc, float* moments) {
    return desc.activation == VELU_ACTIVATION_VELU ? moments : nullptr;
}

struct ForwardScratch {
    int64_t channels, part_count, tile_count;  // 0 parts in inference, 0 tiles without moments
    ChannelSums<2> sums;                       // of x - shift and its square
    float* mean_low;
    float* scale;
    Moments* moments;

    void place(Layout& layout) {
        sums = ChannelSums<2>::place(layout, part_count, channels);
        mean_low = layout.array<float>(channels);
        scale = layout.array<float>(channels);
        moments = layout.array<Moments>(tile_count);
    }
};

struct BackwardScratch {
    int64_t channels, part_count, thread_count, tile_elements, dz_elements;
    ChannelSums<3> sums;  // of dz, dz (x - mean) and x - mean
    float* mean_low;
    float* scale;
    float* dz_mean;
    float* slope;
    double* dlambda;
    float* z;   // a tile per thread
    float* dz;  // the whole tensor, where it has no other place

    void place(Layout& layout) {
        sums = ChannelSums<3>::place(layout, part_count, channels);
        mean_low = layout.array<float>(channels);
        scale = layout.array<float>(channels);
        dz_mean = layout.array<float>(channels);
        slope = layout.array<float>(channels);
        dlambda = layout.array<double>(part_count);
        z = layout.array<float>(thread_count * tile_elements);
        dz = layout.array<float>(dz_elements);
    }
};

}  // namespace

velu_status batch_norm_forward_training(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x,
                                        const float* weight, const float* bias, const void* residual,
                                        const float* lambda, float* running_mean, float* running_var,
                                        int64_t* num_batches_tracked, void* y, float* saved_mean, float* saved_inv_std,
                                        float* moments) {
    return guarded(context, [&]() -> velu_status {
        Context& ctx = cpu(context);
        const BatchNormKernels& kernels = batch_norm_kernels(ctx.isa);
        const int64_t channels = desc->channels;
        const Division division = parts(desc->rows);
        moments = wanted_moments(*desc, moments);
        ForwardScratch scratch{};
        scratch.channels = channels;
        scratch.part_count = division.count;
        scratch.tile_count = moments == nullptr ? 0 : tiles(desc->rows, channels).count;
        reserve(ctx, scratch);

        // The sums are of x - shift. With an element of the channel as shift, (mean - shift)^2 <= rows * variance, and
        // float64 has the digits for the difference of the two sums.
        const auto* from = static_cast<const float*>(x);
        const float* shift = from;
        const int64_t x_pitch = pitch_of(desc->x_pitch, channels);
        parallel_for(ctx, division.count, [&](int64_t part) {
            scratch.sums.clear(part);
            const Division inner = tiles(division.size(part), channels);
            for (int64_t tile = 0; tile < inner.count; ++tile) {
                kernels.sums(from + (division.first(part) + inner.first(tile)) * x_pitch, x_pitch, shift,
                             inner.size(tile), channels, scratch.sums.of(part, 0), scratch.sums.of(part, 1));
            }
        });

        const auto n = static_cast<double>(desc->rows);
        const auto momentum = static_cast<double>(desc->momentum);
        scratch.sums.join(ctx, [&](int64_t c, const double* sums) {
            const double offset = sums[0] / n;
            const double mean = static_cast<double>(shift[c]) + offset;
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

        apply(ctx, *desc,
              {from, static_cast<const float*>(residual), saved_mean, scratch.mean_low, scratch.scale, bias,
               static_cast<float*>(y)},
              lambda, scratch.moments, moments);
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
        ForwardScratch scratch{};
        scratch.channels = desc->channels;
        scratch.tile_count = moments == nullptr ? 0 : tiles(desc->rows, desc->channels).count;
        reserve(ctx, scratch);
        for (int64_t c = 0; c < desc->channels; ++c) {
            const double variance = static_cast<double>(running_var[c]) + static_cast<double>(desc->eps);
            scratch.scale[c] = static_cast<float>(static_cast<double>(weight[c]) / std::sqrt(variance));
        }
        apply(ctx, *desc,
              {static_cast<const float*>(x), static_cast<const float*>(residual), running_mean, nullptr, scratch.scale,
               bias, static_cast<float*>(y)},
              lambda, scratch.moments, moments);
        return VELU_STATUS_SUCCESS;
    });
}

velu_status batch_norm_backward(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x, const void* dy,
                                const float* weight, const float* bias, const void* residual, const float* lambda,
                                const float* saved_mean, const float* saved_inv_std, const float* moments,
                                const void* dx_addend, void* dx, void* dresidual, float* dweight, float* dbias,
                                float* dlambda) {
    return guarded(context, [&]() -> velu_status {
        Context& ctx = cpu(context);
        const BatchNormKernels& kernels = batch_norm_kernels(ctx.isa);
        const int64_t channels = desc->channels;
        const int32_t activation = desc->activation;
        const bool is_velu = activation == VELU_ACTIVATION_VELU;
        const auto n = static_cast<double>(desc->rows);
        const auto* from = static_cast<const float*>(x);
        const auto* added = static_cast<const float*>(residual);
        const auto* upstream = static_cast<const float*>(dy);
        const auto* addend = static_cast<const float*>(dx_addend);
        auto* gradient = static_cast<float*>(dx);
        const int64_t x_pitch = pitch_of(desc->x_pitch, channels);
        const int64_t dx_pitch = pitch_of(desc->dx_pitch, channels);
        const int64_t addend_pitch = pitch_of(desc->dx_addend_pitch, channels);
        const bool dx_can_hold_dz = dx_pitch == channels && addend != gradient;

        const Division division = parts(desc->rows);
        BackwardScratch scratch{};
        scratch.channels = channels;
        scratch.part_count = division.count;
        scratch.thread_count = std::max(1, ctx.threads);
        scratch.tile_elements = tiles(desc->rows, channels).rows_per_piece * channels;
        const bool identity = activation == VELU_ACTIVATION_IDENTITY;
        if (residual == nullptr && !identity && !dx_can_hold_dz) scratch.dz_elements = desc->rows * channels;
        reserve(ctx, scratch);
        // The residual's gradient is dz itself; without activation dz is dy.
        float* new_dz = residual != nullptr ? static_cast<float*>(dresidual) : dx_can_hold_dz ? gradient : scratch.dz;
        const float* dz = identity ? upstream : new_dz;
        for (int64_t c = 0; c < channels; ++c) scratch.scale[c] = weight[c] * saved_inv_std[c];
        VeluConstants velu{};
        if (is_velu) {
            velu =
                backward_constants(desc->params, lambda, desc->w2_weight, moments, n * static_cast<double>(channels));
        }

        parallel_for(ctx, division.count, [&](int64_t part) {
            scratch.sums.clear(part);
            scratch.dlambda[part] = 0;
            const bool alone = ctx.threads <= 1 || division.count <= 1;
            float* z = scratch.z + (alone ? 0 : omp_get_thread_num()) * scratch.tile_elements;
            const Division inner = tiles(division.size(part), channels);
            for (int64_t tile = 0; tile < inner.count; ++tile) {
                const int64_t first = division.first(part) + inner.first(tile);
                const int64_t start = first * channels;
                const float* x_rows = from + first * x_pitch;
                const int64_t rows = inner.size(tile);
                const int64_t elements = rows * channels;
                if (identity) {
                    if (residual != nullptr && new_dz != upstream) {
                        std::memcpy(new_dz + start, upstream + start, static_cast<size_t>(elements) * sizeof(float));
                    }
                } else {
                    kernels.normalize(x_rows, x_pitch, added == nullptr ? nullptr : added + start, saved_mean, nullptr,
                                      scratch.scale, bias, z, rows, channels);
                    if (is_velu) {
                        double tile_dlambda = 0;
                        velu_kernels(ctx.isa).backward(velu, z, upstream + start, new_dz + start, rows, channels,
                                                       &tile_dlambda);
                        scratch.dlambda[part] += tile_dlambda;
                    } else {
                        activation_kernels(ctx.isa).backward(activation, z, upstream + start, new_dz + start, elements);
                    }
                }
                kernels.gradient_sums(x_rows, x_pitch, dz + start, saved_mean, rows, channels, scratch.sums.of(part, 0),
                                      scratch.sums.of(part, 1), scratch.sums.of(part, 2));
            }
        });

        if (is_velu && dlambda != nullptr) {
            double sum = 0;
            for (int64_t part = 0; part < division.count; ++part) sum += scratch.dlambda[part];
            *dlambda = static_cast<float>(sum);
        }
        scratch.sums.join(ctx, [&](int64_t c, const double* sums) {
            const auto inv_std = static_cast<double>(saved_inv_std[c]);
            const double dz_sum = sums[0];
            // What float32 lost of the mean, visible where the mean is much larger than the deviations.
            const double mean_low = sums[2] / n;
            const double product = sums[1] - mean_low * dz_sum;
            scratch.mean_low[c] = static_cast<float>(mean_low);
            dbias[c] = static_cast<float>(dz_sum);
            dweight[c] = static_cast<float>(product * inv_std);
            scratch.dz_mean[c] = static_cast<float>(dz_sum / n);
            scratch.slope[c] = static_cast<float>(product * inv_std * inv_std / n);
        });

        const Division all_tiles = tiles(desc->rows, channels);
        parallel_for(ctx, all_tiles.count, [&](int64_t tile) {
            const int64_t first = all_tiles.first(tile);
            kernels.input_gradient(from + first * x_pitch, x_pitch, dz + first * channels, saved_mean, scratch.mean_low,
                                   scratch.scale, scratch.dz_mean, scratch.slope,
                                   addend == nullptr ? nullptr : addend + first * addend_pitch, addend_pitch,
                                   gradient + first * dx_pitch, dx_pitch, all_tiles.size(tile), channels);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
