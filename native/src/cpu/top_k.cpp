// Top-k counting: a label is among the k largest logits if fewer than k classes rank before it.
#include <algorithm>
#include <cmath>

#include "cpu/context.h"
#include "cpu/element.h"
#include "cpu/labels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Classes that rank before `label`: those with a larger logit or a NaN, and of equal logits the lower classes.
template <class T>
int64_t rank_of(const T* logits, int64_t classes, int64_t label) {
    const float own = value_of(logits[label]);
    int64_t rank = 0;
    for (int64_t c = 0; c < label; ++c) rank += !(value_of(logits[c]) < own);
    for (int64_t c = label + 1; c < classes; ++c) rank += !(value_of(logits[c]) <= own);
    return rank;
}

/// Rows whose label is among the k largest logits, of each block of block_rows rows.
template <class T>
void count_correct(const Context& context, const velu_top_k_desc& desc, int64_t block_rows, int64_t blocks,
                   const T* logits, const int32_t* labels, int64_t* counts) {
    parallel_for(context, blocks, [&](int64_t block) {
        int64_t correct = 0;
        const int64_t end = std::min(desc.rows, (block + 1) * block_rows);
        for (int64_t row = block * block_rows; row < end; ++row) {
            const T* row_logits = logits + row * desc.classes;
            const int64_t label = labels[row];
            if (label < 0 || std::isnan(value_of(row_logits[label]))) continue;
            correct += rank_of(row_logits, desc.classes, label) < desc.k;
        }
        counts[block] = correct;
    });
}

}  // namespace

velu_status top_k_count(DeviceContext* context, const velu_top_k_desc* desc, const void* logits, const int32_t* labels,
                        int64_t* count) {
    return guarded(context, [&]() -> velu_status {
        int64_t labelled = 0;
        const velu_status status = check_labels(context, labels, desc->rows, desc->classes, &labelled);
        if (status != VELU_STATUS_SUCCESS) return status;

        const int64_t block_rows = std::max<int64_t>(1, 16384 / desc->classes);
        const int64_t blocks = (desc->rows + block_rows - 1) / block_rows;
        auto* counts =
            static_cast<int64_t*>(cpu(context).workspace.reserve(static_cast<size_t>(blocks) * sizeof(int64_t)));
        with_element(desc->dtype, [&]<class T>(T) {
            count_correct(cpu(context), *desc, block_rows, blocks, static_cast<const T*>(logits), labels, counts);
        });
        int64_t sum = 0;
        for (int64_t block = 0; block < blocks; ++block) sum += counts[block];
        *count = sum;
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
