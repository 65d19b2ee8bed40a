// Multi-head self-attention. A thread works on one head of one image at a time, from copies in its own scratch: memory
// grows with tokens, not with their square. Forward divides a head's queries where there are more threads than heads; a
// query's result does not depend on that.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/isa/attention_kernels.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

/// Tasks per thread that keep the last ones to finish from waiting long.
constexpr int64_t kTasksPerThread = 4;

/// Floats of scratch per thread, a whole number of cache lines; throws std::bad_alloc.
int64_t scratch_floats(const velu_attention_desc& desc, int32_t pass) {
    // No computer has so much, and beyond it the numbers below do not fit.
    if (static_cast<double>(desc.tokens) * static_cast<double>(desc.head_size) > 0x1p44) throw std::bad_alloc();
    const AttentionWidths widths(desc.tokens, desc.head_size);
    const int64_t block = kAttentionQueries;
    if (pass == VELU_PASS_FORWARD) {
        return (desc.head_size + block) * widths.tokens + (desc.tokens + 2 * block) * widths.size;
    }
    return 2 * (desc.head_size + block) * widths.tokens + 3 * (desc.tokens + block) * widths.size;
}

/// One per thread that has work.
int64_t lanes(const Context& context, int64_t tasks) {
    return std::clamp<int64_t>(context.threads, 1, tasks);
}

float* reserve(Context& context, const velu_attention_desc& desc, int32_t pass, int64_t lane_count) {
    const auto floats = static_cast<size_t>(scratch_floats(desc, pass));
    return static_cast<float*>(context.workspace.reserve(static_cast<size_t>(lane_count) * floats * sizeof(float)));
}

/// Parts that the queries of a head are divided into.
int64_t query_parts(const Context& context, const velu_attention_desc& desc) {
    const int64_t heads = desc.batch * desc.heads;
    const int64_t wanted = context.threads <= 1 ? 1 : (kTasksPerThread * context.threads + heads - 1) / heads;
    return std::clamp<int64_t>(wanted, 1, (desc.tokens + kAttentionQueries - 1) / kAttentionQueries);
}

/// Where one head of one image begins.
struct HeadStart {
    int64_t qkv;
    int64_t y;
    int64_t log_sum_exp;

    HeadStart(const velu_attention_desc& desc, int64_t index) {
        const int64_t image = index / desc.heads;
        const int64_t channel = index % desc.heads * desc.head_size;
        const int64_t width = desc.heads * desc.head_size;
        qkv = image * desc.tokens * 3 * width + channel;
        y = image * desc.tokens * width + channel;
        log_sum_exp = index * desc.tokens;
    }
};

AttentionHead describe(const velu_attention_desc& desc) {
    const int64_t width = desc.heads * desc.head_size;
    return {desc.tokens, desc.head_size, 3 * width, width, desc.scale};
}

/// body(task, scratch of its thread) for every task.
template <class Body>
void for_tasks(Context& context, const velu_attention_desc& desc, int32_t pass, int64_t tasks, const Body& body) {
    const int64_t lane_count = lanes(context, tasks);
    float* scratch = reserve(context, desc, pass, lane_count);
    const int64_t floats = scratch_floats(desc, pass);
    parallel_for(context, lane_count, [&](int64_t lane) {
        for (int64_t task = lane; task < tasks; task += lane_count) body(task, scratch + lane * floats);
    });
}

template <class T>
void forward(Context& context, const velu_attention_desc& desc, const T* qkv, T* y, float* log_sum_exp) {
    const AttentionKernels<T>& kernels = attention_kernels(context.isa).of<T>();
    const AttentionHead head = describe(desc);
    const int64_t width = head.y_stride;
    const int64_t parts = query_parts(context, desc);
    const int64_t blocks = (desc.tokens + kAttentionQueries - 1) / kAttentionQueries;
    for_tasks(context, desc, VELU_PASS_FORWARD, desc.batch * desc.heads * parts, [&](int64_t task, float* scratch) {
        const HeadStart start(desc, task / parts);
        const int64_t part = task % parts;
        const int64_t first = part * blocks / parts * kAttentionQueries;
        const int64_t last = std::min(desc.tokens, (part + 1) * blocks / parts * kAttentionQueries);
        const T* q = qkv + start.qkv;
        kernels.forward(head, q, q + width, q + 2 * width, first, last, y + start.y,
                        log_sum_exp == nullptr ? nullptr : log_sum_exp + start.log_sum_exp, scratch);
    });
}

template <class T>
void backward(Context& context, const velu_attention_desc& desc, const T* qkv, const T* dy, const float* log_sum_exp,
              T* dqkv) {
    const AttentionKernels<T>& kernels = attention_kernels(context.isa).of<T>();
    const AttentionHead head = describe(desc);
    const int64_t width = head.y_stride;
    for_tasks(context, desc, VELU_PASS_BACKWARD_DATA, desc.batch * desc.heads, [&](int64_t task, float* scratch) {
        const HeadStart start(desc, task);
        const T* q = qkv + start.qkv;
        T* dq = dqkv + start.qkv;
        kernels.backward(head, q, q + width, q + 2 * width, dy + start.y, log_sum_exp + start.log_sum_exp, dq,
                         dq + width, dq + 2 * width, scratch);
    });
}

}  // namespace

velu_status attention_prepare(DeviceContext* context, const velu_attention_desc* desc, int32_t pass) {
    return guarded(context, [&]() -> velu_status {
        const int64_t parts = pass == VELU_PASS_FORWARD ? query_parts(cpu(context), *desc) : 1;
        reserve(cpu(context), *desc, pass, lanes(cpu(context), desc->batch * desc->heads * parts));
        return VELU_STATUS_SUCCESS;
    });
}

velu_status attention_forward(DeviceContext* context, const velu_attention_desc* desc, const void* qkv, void* y,
                              float* log_sum_exp) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            forward(cpu(context), *desc, static_cast<const T*>(qkv), static_cast<T*>(y), log_sum_exp);
        });
        return VELU_STATUS_SUCCESS;
    });
}

// y is not read: the scores' gradients are centered by their own mean, which is what sum(dy y) of a query is.
velu_status attention_backward(DeviceContext* context, const velu_attention_desc* desc, const void* qkv, const void*,
                               const void* dy, const float* log_sum_exp, void* dqkv) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            backward(cpu(context), *desc, static_cast<const T*>(qkv), static_cast<const T*>(dy), log_sum_exp,
                     static_cast<T*>(dqkv));
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
