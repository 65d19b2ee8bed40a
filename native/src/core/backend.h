// The contract between libvelu.so and its backend plugins (libvelu_cpu.so, libvelu_cuda.so).
//
// A plugin exports one C function, velu_backend_table(library_path), that returns its BackendTable. libvelu.so has
// validated every argument before it calls an entry: descriptors are in range, required pointers are not NULL, and
// counts of zero never arrive. An entry returns a status and, unless it is SUCCESS, leaves a message in
// DeviceContext::message.
#pragma once

#include <velu/velu.h>

#include <cstdarg>
#include <cstdio>

namespace velu {

/// Base of every backend's context. The core owns the busy flag and reads the message.
struct DeviceContext {
    char message[1024] = "";

    /// Why operations on this context do not compute in bfloat16, with the remedy; nullptr where they do. Static
    /// storage.
    const char* bfloat16_refusal = nullptr;

    /// Stores a printf-style message and returns status, so that an entry can `return context->fail(...)`.
    __attribute__((format(printf, 3, 4))) velu_status fail(velu_status status, const char* format, ...) {
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        return status;
    }
};

/// Bumped with every change of BackendTable.
inline constexpr uint32_t kBackendTableVersion = 5;

/// One entry per operation of velu.h, with the same arguments after the context. An operation the backend does not have
/// may be nullptr: the core answers UNSUPPORTED. The entries up to event_elapsed must be there.
struct BackendTable {
    uint32_t version;  // kBackendTableVersion
    uint32_t size;     // sizeof(BackendTable)

    velu_status (*backend_query)(velu_backend_info* info);
    velu_status (*device_query)(int32_t index, velu_device_info* info);
    velu_status (*context_create)(const velu_context_desc* desc, DeviceContext** context, char* message,
                                  size_t message_capacity);
    void (*context_destroy)(DeviceContext* context);
    velu_status (*context_synchronize)(DeviceContext* context);
    velu_status (*context_threads)(DeviceContext* context, int32_t* threads);
    velu_status (*context_workspace_size)(DeviceContext* context, int64_t* bytes);
    velu_status (*impl_name)(DeviceContext* context, const char* operation, const void* desc, char* name,
                             size_t capacity);

    velu_status (*memory_allocate)(DeviceContext*, int64_t bytes, void** memory);
    velu_status (*memory_free)(DeviceContext*, void* memory);
    velu_status (*memory_copy)(DeviceContext*, int32_t direction, const void* source, void* destination, int64_t bytes);
    velu_status (*memory_set)(DeviceContext*, void* memory, int32_t value, int64_t bytes);
    velu_status (*host_memory_allocate)(DeviceContext*, int64_t bytes, void** memory);
    velu_status (*host_memory_free)(DeviceContext*, void* memory);
    velu_status (*memory_copy_async)(DeviceContext*, int32_t stream, int32_t direction, const void* source,
                                     void* destination, int64_t bytes);

    velu_status (*event_create)(DeviceContext*, velu_event** event);
    velu_status (*event_destroy)(DeviceContext*, velu_event* event);
    velu_status (*event_record)(DeviceContext*, velu_event* event, int32_t stream);
    velu_status (*event_wait)(DeviceContext*, velu_event* event, int32_t stream);
    velu_status (*event_synchronize)(DeviceContext*, velu_event* event);
    velu_status (*event_elapsed)(DeviceContext*, velu_event* start, velu_event* end, float* milliseconds);

    velu_status (*graph_begin)(DeviceContext*);
    velu_status (*graph_end)(DeviceContext*, velu_graph** graph);
    velu_status (*graph_launch)(DeviceContext*, velu_graph* graph);
    velu_status (*graph_destroy)(DeviceContext*, velu_graph* graph);

    velu_status (*velu_forward)(DeviceContext*, const velu_velu_desc*, const void* x, const float* lambda, void* y,
                                float* moments);
    velu_status (*velu_backward)(DeviceContext*, const velu_velu_desc*, const void* x, const void* dy,
                                 const float* lambda, const float* moments, void* dx, float* dlambda);
    velu_status (*wasserstein_forward)(DeviceContext*, const velu_wasserstein_desc*, const void* a, const float* lambda,
                                       void* y, float* saved, float* moments);
    velu_status (*wasserstein_backward)(DeviceContext*, const velu_wasserstein_desc*, const void* a, const void* dy,
                                        const float* lambda, const float* saved, void* da, float* dlambda);
    velu_status (*activation_statistics)(DeviceContext*, const velu_activation_statistics_desc*, const void* x,
                                         const void* a, const float* lambda, float* values, int64_t* counts);
    velu_status (*activation_forward)(DeviceContext*, const velu_activation_desc*, const void* x, void* y);
    velu_status (*activation_backward)(DeviceContext*, const velu_activation_desc*, const void* x, const void* dy,
                                       void* dx);
    velu_status (*add_forward)(DeviceContext*, const velu_add_desc*, const void* a, const void* b, void* y);
    velu_status (*cast_forward)(DeviceContext*, const velu_cast_desc*, const void* x, void* y);
    velu_status (*transpose_forward)(DeviceContext*, const velu_transpose_desc*, const void* x, void* y);
    velu_status (*copy_rows_forward)(DeviceContext*, const velu_copy_rows_desc*, const void* x, void* y);
    velu_status (*channel_scale_forward)(DeviceContext*, const velu_channel_scale_desc*, const void* x,
                                         const void* scale, void* y);
    velu_status (*channel_scale_backward)(DeviceContext*, const velu_channel_scale_desc*, const void* x,
                                          const void* scale, const void* dy, void* dx, void* dscale);
    velu_status (*dropout_forward)(DeviceContext*, const velu_dropout_desc*, const int64_t* step, const void* x,
                                   void* y);
    velu_status (*dropout_backward)(DeviceContext*, const velu_dropout_desc*, const int64_t* step, const void* dy,
                                    void* dx);

    velu_status (*conv2d_prepare)(DeviceContext*, const velu_conv2d_desc*, int32_t pass);
    velu_status (*conv2d_forward)(DeviceContext*, const velu_conv2d_desc*, const void* x, const void* weight,
                                  const float* bias, void* y);
    velu_status (*conv2d_backward_data)(DeviceContext*, const velu_conv2d_desc*, const void* dy, const void* weight,
                                        void* dx);
    velu_status (*conv2d_backward_weights)(DeviceContext*, const velu_conv2d_desc*, const void* x, const void* dy,
                                           float* dweight, float* dbias);
    velu_status (*conv2d_packed_bytes)(DeviceContext*, const velu_conv2d_desc*, int64_t* bytes);
    velu_status (*conv2d_packed_prepare)(DeviceContext*, const velu_conv2d_desc*, int32_t has_residual);
    velu_status (*conv2d_pack)(DeviceContext*, const velu_conv2d_desc*, const float* weight, const float* bias,
                               const float* scale, const float* shift, void* packed, float* packed_bias);
    velu_status (*conv2d_packed_forward)(DeviceContext*, const velu_conv2d_desc*, const void* x, const void* packed,
                                         const float* packed_bias, const void* residual, void* y);
    velu_status (*linear_prepare)(DeviceContext*, const velu_linear_desc*, int32_t pass);
    velu_status (*linear_forward)(DeviceContext*, const velu_linear_desc*, const void* x, const void* weight,
                                  const float* bias, void* y);
    velu_status (*linear_backward_data)(DeviceContext*, const velu_linear_desc*, const void* dy, const void* weight,
                                        void* dx);
    velu_status (*linear_backward_weights)(DeviceContext*, const velu_linear_desc*, const void* x, const void* dy,
                                           float* dweight, float* dbias);

    velu_status (*scaled_linear_prepare)(DeviceContext*, const velu_scaled_linear_desc*, int32_t pass);
    velu_status (*scaled_linear_forward)(DeviceContext*, const velu_scaled_linear_desc*, const void* x,
                                         const void* scale, const void* weight, void* y);
    velu_status (*scaled_linear_backward_data)(DeviceContext*, const velu_scaled_linear_desc*, const void* x,
                                               const void* scale, const void* dy, const void* weight, void* dx,
                                               void* dscale);
    velu_status (*scaled_linear_backward_weights)(DeviceContext*, const velu_scaled_linear_desc*, const void* x,
                                                  const void* scale, const void* dy, float* dweight);

    velu_status (*attention_prepare)(DeviceContext*, const velu_attention_desc*, int32_t pass);
    velu_status (*attention_forward)(DeviceContext*, const velu_attention_desc*, const void* qkv, void* y,
                                     float* log_sum_exp);
    velu_status (*attention_backward)(DeviceContext*, const velu_attention_desc*, const void* qkv, const void* y,
                                      const void* dy, const float* log_sum_exp, void* dqkv);
    velu_status (*token_embedding_forward)(DeviceContext*, const velu_token_embedding_desc*, const void* x,
                                           const float* class_token, const float* position, void* y);
    velu_status (*token_embedding_backward)(DeviceContext*, const velu_token_embedding_desc*, const void* dy, void* dx,
                                            float* dclass_token, float* dposition);
    velu_status (*layer_norm_forward)(DeviceContext*, const velu_layer_norm_desc*, const void* x, const void* residual,
                                      const float* weight, const float* bias, void* sum, void* y, float* saved_mean,
                                      float* saved_inv_std);
    velu_status (*layer_norm_backward)(DeviceContext*, const velu_layer_norm_desc*, const void* z, const void* dy,
                                       const void* dz_addend, const float* weight, const float* saved_mean,
                                       const float* saved_inv_std, void* dx, float* dweight, float* dbias);

    velu_status (*batch_norm_forward_training)(DeviceContext*, const velu_batch_norm_desc*, const void* x,
                                               const float* weight, const float* bias, const void* residual,
                                               const float* lambda, float* running_mean, float* running_var,
                                               int64_t* num_batches_tracked, void* y, float* saved_mean,
                                               float* saved_inv_std, float* moments);
    velu_status (*batch_norm_forward_inference)(DeviceContext*, const velu_batch_norm_desc*, const void* x,
                                                const float* weight, const float* bias, const void* residual,
                                                const float* lambda, const float* running_mean,
                                                const float* running_var, void* y, float* moments);
    velu_status (*batch_norm_fold)(DeviceContext*, const velu_batch_norm_desc*, const float* weight, const float* bias,
                                   const float* running_mean, const float* running_var, float* scale, float* shift);
    velu_status (*batch_norm_backward)(DeviceContext*, const velu_batch_norm_desc*, const void* x, const void* dy,
                                       const float* weight, const float* bias, const void* residual,
                                       const float* lambda, const float* saved_mean, const float* saved_inv_std,
                                       const float* moments, const void* dx_addend, void* dx, void* dresidual,
                                       float* dweight, float* dbias, float* dlambda);

    velu_status (*max_pool2d_forward)(DeviceContext*, const velu_pool2d_desc*, const void* x, void* y, uint8_t* argmax);
    velu_status (*max_pool2d_backward)(DeviceContext*, const velu_pool2d_desc*, const void* dy, const uint8_t* argmax,
                                       void* dx);
    velu_status (*avg_pool2d_forward)(DeviceContext*, const velu_pool2d_desc*, const void* x, void* y);
    velu_status (*avg_pool2d_backward)(DeviceContext*, const velu_pool2d_desc*, const void* dy, void* dx);
    velu_status (*global_avg_pool_forward)(DeviceContext*, const velu_global_avg_pool_desc*, const void* x, void* y);
    velu_status (*global_avg_pool_backward)(DeviceContext*, const velu_global_avg_pool_desc*, const void* dy, void* dx);

    velu_status (*adaptive_avg_pool2d_forward)(DeviceContext*, const velu_adaptive_avg_pool2d_desc*, const void* x,
                                               void* y);
    velu_status (*adaptive_avg_pool2d_backward)(DeviceContext*, const velu_adaptive_avg_pool2d_desc*, const void* dy,
                                                void* dx);

    velu_status (*softmax_cross_entropy_forward)(DeviceContext*, const velu_softmax_cross_entropy_desc*,
                                                 const void* logits, const int32_t* labels, const int32_t* other_labels,
                                                 const float* label_shares, float* loss, float* log_sum_exp);
    velu_status (*softmax_cross_entropy_backward)(DeviceContext*, const velu_softmax_cross_entropy_desc*,
                                                  const void* logits, const int32_t* labels,
                                                  const int32_t* other_labels, const float* label_shares,
                                                  const float* log_sum_exp, const float* dloss, void* dlogits);
    velu_status (*top_k_count)(DeviceContext*, const velu_top_k_desc*, const void* logits, const int32_t* labels,
                               int64_t* count);

    velu_status (*optimizer_step)(DeviceContext*, const velu_optimizer_desc*, const float* learning_rate,
                                  const float* gradient_norm, double* counters, float* parameters,
                                  const void* gradients, float* state0, float* state1);
    velu_status (*gradient_norm)(DeviceContext*, const velu_gradient_norm_desc*, const void* gradients, float* norm);
    velu_status (*lerp)(DeviceContext*, const velu_lerp_desc*, const float* weight, const void* values, float* average);

    velu_status (*random_fill)(DeviceContext*, const velu_random_desc*, float* out);
    velu_status (*normalize_image_forward)(DeviceContext*, const velu_normalize_image_desc*, const uint8_t* x,
                                           const int32_t* placement, void* y);
};

}  // namespace velu

/// library_path: the folders of velu_backend_library_path, or "". It is read during the call only.
extern "C" VELU_API const velu::BackendTable* velu_backend_table(const char* library_path);
