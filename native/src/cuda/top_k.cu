// Top-k counting: a label is among the k largest logits if fewer than k classes rank before it.
#include "cuda/class_rows.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

// Reads an element once for 4 instructions; limited by memory. Classes that rank before the label are those with a
// larger logit or a NaN, and of equal logits the lower classes.
template <class Walk, class T>
__global__ void __launch_bounds__(kClassThreads)
    count_kernel(const T* __restrict__ logits, const int32_t* __restrict__ labels, int64_t rows, int64_t classes, int k,
                 long long* __restrict__ counts) {
    __shared__ long long slots[kClassThreads / kWarp];
    long long correct = 0;  // of the rows whose first thread this is
    for (int64_t row = Walk::first_row(); row < rows; row += Walk::row_step()) {
        const int32_t label = labels[row];
        if (label < 0 || label >= classes) continue;  // for all threads of the row
        const T* z = logits + row * classes;
        const float own = to_float(z[label]);
        long long rank = 0;
        Walk::for_each_class(z, classes, [&](int64_t c, float logit) {
            rank += (c < label && !(logit < own)) || (c > label && !(logit <= own)) ? 1 : 0;
        });
        rank = Walk::sum(rank, slots);
        if (Walk::lane() == 0 && own == own && rank < k) ++correct;
    }
    correct = block_sum<kClassThreads>(correct, slots);
    if (threadIdx.x == 0) counts[blockIdx.x] = correct;
}

// One block.
__global__ void __launch_bounds__(kClassThreads)
    total_kernel(const long long* __restrict__ counts, int blocks, int64_t* __restrict__ count) {
    __shared__ long long slots[kClassThreads / kWarp];
    long long sum = 0;
    for (int block = static_cast<int>(threadIdx.x); block < blocks; block += kClassThreads) sum += counts[block];
    sum = block_sum<kClassThreads>(sum, slots);
    if (threadIdx.x == 0) *count = sum;
}

}  // namespace

velu_status top_k_count(DeviceContext* context, const velu_top_k_desc* desc, const void* logits, const int32_t* labels,
                        int64_t* count) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            with_row_walk<T>(desc->classes, aligned_to_16(logits), [&](auto walk) {
                using Walk = decltype(walk);
                const unsigned blocks = row_blocks<Walk>(device, desc->rows);
                auto* counts = device.scratch<long long>(blocks * sizeof(long long));
                launch(device, count_kernel<Walk, T>, blocks, kClassThreads, static_cast<const T*>(logits), labels,
                       desc->rows, desc->classes, desc->k, counts);
                launch(device, total_kernel, 1, kClassThreads, counts, static_cast<int>(blocks), count);
            });
        });
    });
}

}  // namespace velu::cuda
