// Softmax cross-entropy with label smoothing. For a row of logits z with the label t, L = log(sum(exp(z))) and
// smoothing e
//     loss = L - (1 - e) z_t - e mean(z)
//     dz_c = softmax(z)_c - (1 - e) [c = t] - e / classes
// Where the row has another label u as well and t has the share p, p z_t + (1 - p) z_u stands for z_t, and
// p [c = t] + (1 - p) [c = u] for [c = t].
#include <algorithm>
#include <cmath>

#include "cpu/context.h"
#include "cpu/isa/softmax_cross_entropy_kernels.h"
#include "cpu/labels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Rows per task: about 16384 logits.
int64_t rows_per_block(int64_t classes) {
    return std::max<int64_t>(1, 16384 / classes);
}

int64_t block_count(const velu_softmax_cross_entropy_desc& desc) {
    const int64_t rows = rows_per_block(desc.classes);
    return (desc.rows + rows - 1) / rows;
}

/// The labels of all rows; others and shares are nullptr where rows have one class.
struct Labels {
    const int32_t* labels;
    const int32_t* others;
    const float* shares;

    velu_status check(DeviceContext* context, const velu_softmax_cross_entropy_desc& desc, int64_t* labelled) const {
        const velu_status status = check_labels(context, labels, desc.rows, desc.classes, labelled);
        if (status != VELU_STATUS_SUCCESS || others == nullptr) return status;
        return check_other_labels(context, labels, others, shares, desc.rows, desc.classes);
    }

    double share(int64_t row) const { return shares == nullptr ? 1.0 : static_cast<double>(shares[row]); }

    /// The logit of a row's target. A term of weight 0 is left out, as it may be infinite.
    template <class T>
    double target_logit(int64_t row, const T* row_logits) const {
        const double p = share(row);
        double logit = 0;
        if (p > 0) logit += p * static_cast<double>(value_of(row_logits[labels[row]]));
        if (p < 1) logit += (1 - p) * static_cast<double>(value_of(row_logits[others[row]]));
        return logit;
    }

    /// @param weight of both targets together
    RowTargets targets(int64_t row, double weight) const {
        RowTargets targets{labels[row], static_cast<float>(weight * share(row))};
        if (others != nullptr) {
            targets.other = others[row];
            targets.other_share = static_cast<float>(weight * (1 - share(row)));
        }
        return targets;
    }
};

template <class T>
void sum_losses(const Context& context, const velu_softmax_cross_entropy_desc& desc, const T* logits,
                const Labels& labels, double* losses, float* log_sum_exp) {
    const SoftmaxCrossEntropyKernels<T>& kernels = softmax_cross_entropy_kernels(context.isa).of<T>();
    const int64_t classes = desc.classes;
    const int64_t block_rows = rows_per_block(classes);
    const double smoothing = desc.label_smoothing;
    parallel_for(context, block_count(desc), [&](int64_t block) {
        double sum = 0;
        const int64_t end = std::min(desc.rows, (block + 1) * block_rows);
        for (int64_t row = block * block_rows; row < end; ++row) {
            const T* row_logits = logits + row * classes;
            LogitSums sums;
            kernels.row_sums(row_logits, classes, &sums);
            const double row_log_sum_exp = static_cast<double>(sums.maximum) + std::log(sums.exp_sum);
            if (log_sum_exp != nullptr) log_sum_exp[row] = static_cast<float>(row_log_sum_exp);
            if (labels.labels[row] < 0) continue;
            double row_loss = row_log_sum_exp;
            if (smoothing < 1) row_loss -= (1 - smoothing) * labels.target_logit(row, row_logits);
            if (smoothing > 0) row_loss -= smoothing * (sums.logit_sum / static_cast<double>(classes));
            sum += row_loss;
        }
        losses[block] = sum;
    });
}

/// upstream: the gradient of the mean loss; labelled: rows with a label.
template <class T>
void differentiate(const Context& context, const velu_softmax_cross_entropy_desc& desc, double upstream,
                   int64_t labelled, const T* logits, const Labels& labels, const float* log_sum_exp, T* dlogits) {
    const SoftmaxCrossEntropyKernels<T>& kernels = softmax_cross_entropy_kernels(context.isa).of<T>();
    const int64_t classes = desc.classes;
    const int64_t block_rows = rows_per_block(classes);
    const double smoothing = desc.label_smoothing;
    const auto scale = static_cast<float>(upstream / static_cast<double>(std::max<int64_t>(1, labelled)));
    const auto share = static_cast<float>(smoothing / static_cast<double>(classes));
    parallel_for(context, block_count(desc), [&](int64_t block) {
        const int64_t end = std::min(desc.rows, (block + 1) * block_rows);
        for (int64_t row = block * block_rows; row < end; ++row) {
            T* gradient = dlogits + row * classes;
            if (labels.labels[row] < 0) {
                std::fill_n(gradient, classes, T{});
            } else {
                kernels.row_gradient(logits + row * classes, classes, log_sum_exp[row], share, scale,
                                     labels.targets(row, 1 - smoothing), gradient);
            }
        }
    });
}

}  // namespace

velu_status softmax_cross_entropy_forward(DeviceContext* context, const velu_softmax_cross_entropy_desc* desc,
                                          const void* logits, const int32_t* labels, const int32_t* other_labels,
                                          const float* label_shares, float* loss, float* log_sum_exp) {
    return guarded(context, [&]() -> velu_status {
        const Labels all{labels, other_labels, label_shares};
        int64_t labelled = 0;
        const velu_status status = all.check(context, *desc, &labelled);
        if (status != VELU_STATUS_SUCCESS) return status;

        const int64_t blocks = block_count(*desc);
        auto* losses =
            static_cast<double*>(cpu(context).workspace.reserve(static_cast<size_t>(blocks) * sizeof(double)));
        with_element(desc->dtype, [&]<class T>(T) {
            sum_losses(cpu(context), *desc, static_cast<const T*>(logits), all, losses, log_sum_exp);
        });
        double sum = 0;
        for (int64_t block = 0; block < blocks; ++block) sum += losses[block];
        *loss = labelled == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(labelled));
        return VELU_STATUS_SUCCESS;
    });
}

velu_status softmax_cross_entropy_backward(DeviceContext* context, const velu_softmax_cross_entropy_desc* desc,
                                           const void* logits, const int32_t* labels, const int32_t* other_labels,
                                           const float* label_shares, const float* log_sum_exp, const float* dloss,
                                           void* dlogits) {
    return guarded(context, [&]() -> velu_status {
        const Labels all{labels, other_labels, label_shares};
        int64_t labelled = 0;
        const velu_status status = all.check(context, *desc, &labelled);
        if (status != VELU_STATUS_SUCCESS) return status;

        const double upstream = dloss == nullptr ? 1.0 : static_cast<double>(*dloss);
        with_element(desc->dtype, [&]<class T>(T) {
            differentiate(cpu(context), *desc, upstream, labelled, static_cast<const T*>(logits), all, log_sum_exp,
                          static_cast<T*>(dlogits));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
