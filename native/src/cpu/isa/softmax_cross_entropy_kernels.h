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

template <class T>
struct SoftmaxCrossEntropyKernels {
    void (*row_sums)(const T* logits, int64_t classes, LogitSums* sums);
    /// dlogits = scale (exp(logits - log_sum_exp) - share), and of the label's element label_share besides.
    void (*row_gradient)(const T* logits, int64_t classes, float log_sum_exp, float share, float scale, int64_t label,
                         float label_share, T* dlogits);
};
VELU_ISA_SELECT(ByElement<SoftmaxCrossEntropyKernels>, softmax_cross_entropy_kernels)

}  // namespace velu::cpu
