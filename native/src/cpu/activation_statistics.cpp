// What an activation does at a site. Blocks of rows that only the shape fixes, read once; their sums are float64 and
// joined in order. Scalar code, about 3 ns per element: it runs once an epoch.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/context.h"
#include "cpu/element.h"
#include "cpu/moments.h"
#include "cpu/operations.h"
#include "math/saturation.h"
#include "math/velu_math.h"

namespace velu::cpu {
namespace {

/// What one block of rows adds up.
struct Part {
    Moments moments;
    double scale_sum = 0;
    double scale_min = 0;
    double scale_max = 0;
    int64_t saturated = 0;
};

/// a(s) of one row of VeLU.
template <class T>
double adaptive_scale_of(const velu_velu_params& params, const T* x, int64_t channels) {
    // Deviations from an element, as their sums cancel less than those of x.
    const double shift = params.statistic == VELU_STATISTIC_STD ? static_cast<double>(value_of(x[0])) : 0.0;
    double deviations = 0, squares = 0;
    for (int64_t c = 0; c < channels; ++c) {
        const double deviation = static_cast<double>(value_of(x[c])) - shift;
        deviations += deviation;
        squares += deviation * deviation;
    }
    const auto n = static_cast<double>(channels);
    return math::adaptive_scale(params, math::row_statistic(params, shift, deviations, squares, n).s).a;
}

/// The smaller (larger) of two, a NaN if one is.
double least(double a, double b) {
    return b < a || b != b ? b : a;
}
double most(double a, double b) {
    return b > a || b != b ? b : a;
}

template <class T>
Part of_rows(const velu_activation_statistics_desc& desc, const T* x, const T* a, float lambda, int64_t rows,
             unsigned char* alive) {
    Part part;
    const float first = value_of(a[0]);
    const double shift = std::isfinite(first) ? static_cast<double>(first) : 0.0;
    double deviations = 0, squares = 0;
    for (int64_t row = 0; row < rows; ++row, x += desc.channels, a += desc.channels) {
        const double scale =
            desc.activation == VELU_ACTIVATION_VELU ? adaptive_scale_of(desc.params, x, desc.channels) : 1.0;
        part.scale_sum += scale;
        part.scale_min = row == 0 ? scale : least(part.scale_min, scale);
        part.scale_max = row == 0 ? scale : most(part.scale_max, scale);
        for (int64_t c = 0; c < desc.channels; ++c) {
            const float value = value_of(a[c]);
            part.saturated += math::is_saturated(desc.activation, desc.params.beta2, value_of(x[c])) ? 1 : 0;
            if (!(std::fabs(lambda * value) <= math::kDeadOutput)) alive[c] = 1;
            const double deviation = static_cast<double>(value) - shift;
            deviations += deviation;
            squares += deviation * deviation;
        }
    }
    const double count = static_cast<double>(rows) * static_cast<double>(desc.channels);
    part.moments = math::moments_of_sums(count, shift, deviations, squares);
    return part;
}

template <class T>
void statistics(Context& context, const velu_activation_statistics_desc& desc, const T* x, const T* a, float lambda,
                float* values, int64_t* counts) {
    const int64_t channels = desc.channels;
    const int64_t rows_per_block = std::clamp<int64_t>(16384 / channels, 1, desc.rows);
    const int64_t blocks = (desc.rows + rows_per_block - 1) / rows_per_block;
    const int64_t lanes = std::clamp<int64_t>(context.threads, 1, blocks);
    const auto bytes_of_parts = static_cast<size_t>(blocks) * sizeof(Part);
    const auto bytes_of_flags = static_cast<size_t>(lanes * channels);
    auto* const memory = static_cast<unsigned char*>(context.workspace.reserve(bytes_of_parts + bytes_of_flags));
    auto* const parts = reinterpret_cast<Part*>(memory);
    unsigned char* const flags = memory + bytes_of_parts;  // of each lane: channels that are not dead
    parallel_for(context, lanes, [&](int64_t lane) {
        unsigned char* const alive = flags + lane * channels;
        std::memset(alive, 0, static_cast<size_t>(channels));
        for (int64_t block = lane * blocks / lanes; block < (lane + 1) * blocks / lanes; ++block) {
            const int64_t start = block * rows_per_block * channels;
            const int64_t rows = std::min(rows_per_block, desc.rows - block * rows_per_block);
            parts[block] = of_rows(desc, x + start, a + start, lambda, rows, alive);
        }
    });
    Part all = parts[0];
    for (int64_t block = 1; block < blocks; ++block) {
        const Part& part = parts[block];
        all.moments = math::merge(all.moments, part.moments);
        all.scale_sum += part.scale_sum;
        all.scale_min = least(all.scale_min, part.scale_min);
        all.scale_max = most(all.scale_max, part.scale_max);
        all.saturated += part.saturated;
    }
    int64_t dead = 0;
    for (int64_t c = 0; c < channels; ++c) {
        bool alive = false;
        for (int64_t lane = 0; lane < lanes; ++lane) alive |= flags[lane * channels + c] != 0;
        dead += alive ? 0 : 1;
    }
    store_moments(all.moments, values);
    values[3] = static_cast<float>(all.scale_min);
    values[4] = static_cast<float>(all.scale_sum / static_cast<double>(desc.rows));
    values[5] = static_cast<float>(all.scale_max);
    counts[0] = dead;
    counts[1] = all.saturated;
}

}  // namespace

velu_status activation_statistics(DeviceContext* context, const velu_activation_statistics_desc* desc, const void* x,
                                  const void* a, const float* lambda, float* values, int64_t* counts) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            statistics(cpu(context), *desc, static_cast<const T*>(x), static_cast<const T*>(a),
                       lambda == nullptr ? 1.0f : *lambda, values, counts);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
