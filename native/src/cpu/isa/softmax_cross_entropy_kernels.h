// Vector kernels of velu_softmax_cross_entropy.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Sums over one row of logits z. A NaN or +inf in the row makes exp_sum NaN.
struct LogitSums {
    float maximum;
    double exp_sum;    // sum of exp(z - maximum)
    double logit_sum;  // sum of z
};

/// The classes of one row and the weight of each; a row of one class has no other.
struct RowTargets {
    int64_t label;
    float label_share;
    int64_t other = -1;
    float other_share = 0;
};

template <class T>
struct SoftmaxCrossEntropyKernels {
    void (*row_sums)(const T* logits, int64_t classes, LogitSums* sums);
    /// dlogits = scale (exp(logits - log_sum_exp) - share), and of each target's element the target's share besides.
    void (*row_gradient)(const T* logits, int64_t classes, float log_sum_exp, float share, float scale,
                         const RowTargets& targets, T* dlogits);
};
VELU_ISA_SELECT(ByElement<SoftmaxCrossEntropyKernels>, softmax_cross_entropy_kernels)

}  // namespace velu::cpu
