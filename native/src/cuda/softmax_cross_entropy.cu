// Softmax cross-entropy with label smoothing. For a row of logits z with the label t, L = log(sum(exp(z))) and
// smoothing e
//     loss = L - (1 - e) z_t - e mean(z)
//     dz_c = softmax(z)_c - (1 - e) [c = t] - e / classes
// Where the row has another label u as well and t has the share p, p z_t + (1 - p) z_u stands for z_t, and
// p [c = t] + (1 - p) [c = u] for [c = t].
// Rows are summed apart, then the blocks' sums in order. Labels cannot be checked before: one that is neither a class
// nor -1 makes the loss NaN.
#include "cuda/class_rows.cuh"
#include "cuda/operations.h"
#include "math/exponential.h"
#include "math/simd_scalar.h"

namespace velu::cuda {
namespace {

__device__ __forceinline__ bool is_class(int32_t label, int64_t classes) {
    return label >= 0 && label < classes;
}

/// The labels of all rows; others and shares are nullptr where rows have one class.
struct Labels {
    const int32_t* labels;
    const int32_t* others;
    const float* shares;

    __device__ __forceinline__ float share(int64_t row) const { return shares == nullptr ? 1.0f : shares[row]; }

    /// Whether a row, which is not to be left out, has classes and a share that are some.
    __device__ __forceinline__ bool valid(int64_t row, int64_t classes) const {
        if (!is_class(labels[row], classes)) return false;
        return others == nullptr || (is_class(others[row], classes) && shares[row] >= 0 && shares[row] <= 1);
    }

    /// The logit of a valid row's target. A term of weight 0 is left out, as it may be infinite.
    template <class T>
    __device__ __forceinline__ double target_logit(int64_t row, const T* z) const {
        const double p = static_cast<double>(share(row));
        double logit = 0;
        if (p > 0) logit += p * static_cast<double>(to_float(z[labels[row]]));
        if (p < 1) logit += (1 - p) * static_cast<double>(to_float(z[others[row]]));
        return logit;
    }
};

/// exp(x) for a logit below, or by the rounding of log_sum_exp just above, what is subtracted from it; NaN for NaN.
__device__ __forceinline__ float exponential(float x) {
    // No more than the function's range of powers of two: a larger x has a wrong log_sum_exp.
    const simd::F32x1 bounded = min(simd::F32x1(69.0f), simd::F32x1(x));
    return math::exp_of_nonpositive(bounded, simd::F32x1(0.0f)).v;
}

// Reads a row twice, the second time from the cache; about 20 instructions per element of a budget of 27 (14 for
// bfloat16). Its share of a step is small: 256 rows of 1000 classes are a megabyte. Terms are added in float64, so the
// error does not grow with the row.
template <class Walk, class T>
__global__ void __launch_bounds__(kClassThreads, 4)
    loss_kernel(const T* __restrict__ logits, Labels labels, int64_t rows, int64_t classes, double smoothing,
                float* __restrict__ log_sum_exp, double* __restrict__ losses, long long* __restrict__ labelled) {
    __shared__ float maximum_slots[kClassThreads / kWarp];
    __shared__ double sum_slots[kClassThreads / kWarp];
    __shared__ long long count_slots[kClassThreads / kWarp];
    double loss = 0;      // of the rows whose first thread this is
    long long count = 0;  // those that have a label, right or wrong
    for (int64_t row = Walk::first_row(); row < rows; row += Walk::row_step()) {
        const T* z = logits + row * classes;
        float maximum = __uint_as_float(0xFF800000u);  // -inf
        double logit_sum = 0;
        Walk::for_each_class(z, classes, [&](int64_t, float logit) {
            maximum = logit > maximum ? logit : maximum;
            logit_sum += static_cast<double>(logit);
        });
        maximum = Walk::maximum(maximum, maximum_slots);
        double exp_sum = 0;
        Walk::for_each_class(
            z, classes, [&](int64_t, float logit) { exp_sum += static_cast<double>(exponential(logit - maximum)); });
        logit_sum = Walk::sum(logit_sum, sum_slots);
        exp_sum = Walk::sum(exp_sum, sum_slots);
        if (Walk::lane() != 0) continue;
        const double row_log_sum_exp = static_cast<double>(maximum) + log(exp_sum);
        if (log_sum_exp != nullptr) log_sum_exp[row] = static_cast<float>(row_log_sum_exp);
        if (labels.labels[row] == -1) continue;
        ++count;
        if (!labels.valid(row, classes)) {
            loss = static_cast<double>(__uint_as_float(0x7FC00000u));  // NaN
            continue;
        }
        double row_loss = row_log_sum_exp;
        if (smoothing < 1) row_loss -= (1 - smoothing) * labels.target_logit(row, z);
        if (smoothing > 0) row_loss -= smoothing * (logit_sum / static_cast<double>(classes));
        loss += row_loss;
    }
    loss = block_sum<kClassThreads>(loss, sum_slots);
    count = block_sum<kClassThreads>(count, count_slots);
    if (threadIdx.x == 0) {
        losses[blockIdx.x] = loss;
        labelled[blockIdx.x] = count;
    }
}

// One block.
__global__ void __launch_bounds__(kClassThreads)
    mean_kernel(const double* __restrict__ losses, const long long* __restrict__ labelled, int blocks,
                float* __restrict__ loss) {
    __shared__ double sum_slots[kClassThreads / kWarp];
    __shared__ long long count_slots[kClassThreads / kWarp];
    double sum = 0;
    long long count = 0;
    for (int block = static_cast<int>(threadIdx.x); block < blocks; block += kClassThreads) {
        sum += losses[block];
        count += labelled[block];
    }
    sum = block_sum<kClassThreads>(sum, sum_slots);
    count = block_sum<kClassThreads>(count, count_slots);
    if (threadIdx.x == 0) *loss = count == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(count));
}

// One block: *scale = *dloss / rows with a class. 4 bytes per row.
__global__ void __launch_bounds__(kClassThreads)
    scale_kernel(Labels labels, int64_t rows, int64_t classes, const float* __restrict__ dloss,
                 float* __restrict__ scale) {
    __shared__ long long slots[kClassThreads / kWarp];
    long long count = 0;
    for (int64_t row = threadIdx.x; row < rows; row += kClassThreads) count += labels.valid(row, classes) ? 1 : 0;
    count = block_sum<kClassThreads>(count, slots);
    if (threadIdx.x == 0) {
        const double upstream = dloss == nullptr ? 1.0 : static_cast<double>(*dloss);
        *scale = static_cast<float>(upstream / static_cast<double>(count > 0 ? count : 1));
    }
}

// Reads and writes an element each; about 20 instructions per element of a budget of 55 (27 for bfloat16).
template <class Walk, class T>
__global__ void __launch_bounds__(kClassThreads)
    gradient_kernel(const T* __restrict__ logits, Labels labels, int64_t rows, int64_t classes, float smoothing,
                    const float* __restrict__ log_sum_exp, const float* __restrict__ scale_of_rows,
                    T* __restrict__ dlogits) {
    constexpr int kPack = Walk::pack;
    const float scale = *scale_of_rows;
    const auto share = static_cast<float>(static_cast<double>(smoothing) / static_cast<double>(classes));
    const double weight = 1 - static_cast<double>(smoothing);
    for (int64_t row = Walk::first_row(); row < rows; row += Walk::row_step()) {
        const T* z = logits + row * classes;
        T* dz = dlogits + row * classes;
        const int32_t label = labels.labels[row];
        const int32_t other = labels.others == nullptr ? -1 : labels.others[row];
        const double p = static_cast<double>(labels.share(row));
        const float label_term = static_cast<float>(weight * p) * scale;
        const float other_term = static_cast<float>(weight * (1 - p)) * scale;
        const bool counts = labels.valid(row, classes);
        const float row_log_sum_exp = log_sum_exp[row];
        for (int64_t c = int64_t{Walk::lane()} * kPack; c < classes; c += Walk::threads * kPack) {
            float value[kPack];
            load(z + c, value);
#pragma unroll
            for (int j = 0; j < kPack; ++j) {
                float gradient = (exponential(value[j] - row_log_sum_exp) - share) * scale;
                if (c + j == label) gradient -= label_term;
                if (c + j == other) gradient -= other_term;
                value[j] = counts ? gradient : 0.0f;
            }
            store(value, dz + c);
        }
    }
}

}  // namespace

velu_status softmax_cross_entropy_forward(DeviceContext* context, const velu_softmax_cross_entropy_desc* desc,
                                          const void* logits, const int32_t* labels, const int32_t* other_labels,
                                          const float* label_shares, float* loss, float* log_sum_exp) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_row_walk<T>(desc->classes, aligned_to_16(logits), [&](auto walk) {
                using Walk = decltype(walk);
                const unsigned blocks = row_blocks<Walk>(device, desc->rows);
                auto* losses = device.scratch<double>(blocks * (sizeof(double) + sizeof(long long)));
                auto* labelled = reinterpret_cast<long long*>(losses + blocks);
                launch(device, loss_kernel<Walk, T>, blocks, kClassThreads, static_cast<const T*>(logits),
                       Labels{labels, other_labels, label_shares}, desc->rows, desc->classes,
                       static_cast<double>(desc->label_smoothing), log_sum_exp, losses, labelled);
                launch(device, mean_kernel, 1, kClassThreads, losses, labelled, static_cast<int>(blocks), loss);
            });
        });
    });
}

velu_status softmax_cross_entropy_backward(DeviceContext* context, const velu_softmax_cross_entropy_desc* desc,
                                           const void* logits, const int32_t* labels, const int32_t* other_labels,
                                           const float* label_shares, const float* log_sum_exp, const float* dloss,
                                           void* dlogits) {
    return guarded(context, [&](Context& device) {
        const Labels all{labels, other_labels, label_shares};
        auto* scale = device.scratch<float>(sizeof(float));
        launch(device, scale_kernel, 1, kClassThreads, all, desc->rows, desc->classes, dloss, scale);
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_row_walk<T>(desc->classes, aligned_to_16(logits, dlogits), [&](auto walk) {
                using Walk = decltype(walk);
                launch(device, gradient_kernel<Walk, T>, row_blocks<Walk>(device, desc->rows), kClassThreads,
                       static_cast<const T*>(logits), all, desc->rows, desc->classes, desc->label_smoothing,
                       log_sum_exp, scale, static_cast<T*>(dlogits));
            });
        });
    });
}

}  // namespace velu::cuda
