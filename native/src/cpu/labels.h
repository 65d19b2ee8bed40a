// Class labels as the loss and the metrics take them.
#pragma once

#include <cinttypes>

#include "core/backend.h"

namespace velu::cpu {

/// Checks that every label is a class or -1 and counts those that are a class.
inline velu_status check_labels(DeviceContext* context, const int32_t* labels, int64_t rows, int64_t classes,
                                int64_t* labelled) {
    *labelled = 0;
    for (int64_t row = 0; row < rows; ++row) {
        const int64_t label = labels[row];
        if (label < -1 || label >= classes) {
            return context->fail(VELU_STATUS_INVALID_ARGUMENT,
                                 "the label of row %" PRId64 " is %" PRId64 "; it must be 0 to %" PRId64
                                 ", or -1 to leave the row out",
                                 row, label, classes - 1);
        }
        *labelled += label >= 0;
    }
    return VELU_STATUS_SUCCESS;
}

/// Checks that in rows with a label the other label is a class and the label's share 0 to 1; labels passed
/// check_labels.
inline velu_status check_other_labels(DeviceContext* context, const int32_t* labels, const int32_t* other_labels,
                                      const float* label_shares, int64_t rows, int64_t classes) {
    for (int64_t row = 0; row < rows; ++row) {
        if (labels[row] < 0) continue;
        const int64_t label = other_labels[row];
        if (label < 0 || label >= classes) {
            return context->fail(VELU_STATUS_INVALID_ARGUMENT,
                                 "the other label of row %" PRId64 " is %" PRId64 "; it must be 0 to %" PRId64, row,
                                 label, classes - 1);
        }
        if (!(label_shares[row] >= 0 && label_shares[row] <= 1)) {
            return context->fail(VELU_STATUS_INVALID_ARGUMENT,
                                 "the label share of row %" PRId64 " is %g; it must be 0 to 1", row,
                                 static_cast<double>(label_shares[row]));
        }
    }
    return VELU_STATUS_SUCCESS;
}

}  // namespace velu::cpu
