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

}  // namespace velu::cpu
