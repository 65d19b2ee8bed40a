// The scale and shift that inference makes of a batch norm's statistics: a few numbers per channel, in float64.
#include <cmath>

#include "cpu/context.h"
#include "cpu/operations.h"

namespace velu::cpu {

velu_status batch_norm_fold(DeviceContext*, const velu_batch_norm_desc* desc, const float* weight, const float* bias,
                            const float* running_mean, const float* running_var, float* scale, float* shift) {
    for (int64_t c = 0; c < desc->channels; ++c) {
        const double inv_std = 1 / std::sqrt(static_cast<double>(running_var[c]) + static_cast<double>(desc->eps));
        const double factor = static_cast<double>(weight[c]) * inv_std;
        scale[c] = static_cast<float>(factor);
        shift[c] = static_cast<float>(static_cast<double>(bias[c]) - factor * static_cast<double>(running_mean[c]));
    }
    return VELU_STATUS_SUCCESS;
}

}  // namespace velu::cpu
