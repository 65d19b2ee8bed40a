// Every operation of the CPU backend, one file each: cpu/<operation>.cpp. table.cpp lists them in the BackendTable.
#pragma once

#include "core/backend.h"

namespace velu::cpu {

// velu.cpp
velu_status velu_forward(DeviceContext*, const velu_velu_desc*, const void* x, const float* lambda, void* y,
                         float* moments);
velu_status velu_backward(DeviceContext*, const velu_velu_desc*, const void* x, const void* dy, const float* lambda,
                          const float* moments, void* dx, float* dlambda);

// activation.cpp
velu_status activation_forward(DeviceContext*, const velu_activation_desc*, const void* x, void* y);
velu_status activation_backward(DeviceContext*, const velu_activation_desc*, const void* x, const void* dy, void* dx);

// add.cpp
velu_status add_forward(DeviceContext*, const velu_add_desc*, const void* a, const void* b, void* y);

// dropout.cpp
velu_status dropout_forward(DeviceContext*, const velu_dropout_desc*, const int64_t* step, const void* x, void* y);
velu_status dropout_backward(DeviceContext*, const velu_dropout_desc*, const int64_t* step, const void* dy, void* dx);

// conv2d.cpp
velu_status conv2d_prepare(DeviceContext*, const velu_conv2d_desc*, int32_t pass);
velu_status conv2d_forward(DeviceContext*, const velu_conv2d_desc*, const void* x, const void* weight,
                           const float* bias, void* y);
velu_status conv2d_backward_data(DeviceContext*, const velu_conv2d_desc*, const void* dy, const void* weight, void* dx);
velu_status conv2d_backward_weights(DeviceContext*, const velu_conv2d_desc*, const void* x, const void* dy,
                                    float* dweight, float* dbias);

// linear.cpp
velu_status linear_prepare(DeviceContext*, const velu_linear_desc*, int32_t pass);
velu_status linear_forward(DeviceContext*, const velu_linear_desc*, const void* x, const void* weight,
                           const float* bias, void* y);
velu_status linear_backward_data(DeviceContext*, const velu_linear_desc*, const void* dy, const void* weight, void* dx);
velu_status linear_backward_weights(DeviceContext*, const velu_linear_desc*, const void* x, const void* dy,
                                    float* dweight, float* dbias);

// batch_norm.cpp
velu_status batch_norm_forward_training(DeviceContext*, const velu_batch_norm_desc*, const void* x, const float* weight,
                                        const float* bias, const void* residual, const float* lambda,
                                        float* running_mean, float* running_var, int64_t* num_batches_tracked, void* y,
                                        float* saved_mean, float* saved_inv_std, float* moments);
velu_status batch_norm_forward_inference(DeviceContext*, const velu_batch_norm_desc*, const void* x,
                                         const float* weight, const float* bias, const void* residual,
                                         const float* lambda, const float* running_mean, const float* running_var,
                                         void* y, float* moments);
velu_status batch_norm_backward(DeviceContext*, const velu_batch_norm_desc*, const void* x, const void* dy,
                                const float* weight, const float* bias, const void* residual, const float* lambda,
                                const float* saved_mean, const float* saved_inv_std, const float* moments, void* dx,
                                void* dresidual, float* dweight, float* dbias, float* dlambda);

// max_pool2d.cpp, avg_pool2d.cpp, global_avg_pool.cpp
velu_status max_pool2d_forward(DeviceContext*, const velu_pool2d_desc*, const void* x, void* y, uint8_t* argmax);
velu_status max_pool2d_backward(DeviceContext*, const velu_pool2d_desc*, const void* dy, const uint8_t* argmax,
                                void* dx);
velu_status avg_pool2d_forward(DeviceContext*, const velu_pool2d_desc*, const void* x, void* y);
velu_status avg_pool2d_backward(DeviceContext*, const velu_pool2d_desc*, const void* dy, void* dx);
velu_status global_avg_pool_forward(DeviceContext*, const velu_global_avg_pool_desc*, const void* x, void* y);
velu_status global_avg_pool_backward(DeviceContext*, const velu_global_avg_pool_desc*, const void* dy, void* dx);

// softmax_cross_entropy.cpp, top_k.cpp
velu_status softmax_cross_entropy_forward(DeviceContext*, const velu_softmax_cross_entropy_desc*, const void* logits,
                                          const int32_t* labels, float* loss, float* log_sum_exp);
velu_status softmax_cross_entropy_backward(DeviceContext*, const velu_softmax_cross_entropy_desc*, const void* logits,
                                           const int32_t* labels, const float* log_sum_exp, const float* dloss,
                                           void* dlogits);
velu_status top_k_count(DeviceContext*, const velu_top_k_desc*, const void* logits, const int32_t* labels,
                        int64_t* count);

// optimizer.cpp, gradient_norm.cpp
velu_status optimizer_step(DeviceContext*, const velu_optimizer_desc*, const float* learning_rate,
                           const float* gradient_norm, double* counters, float* parameters, const void* gradients,
                           float* state0, float* state1);
velu_status gradient_norm(DeviceContext*, const velu_gradient_norm_desc*, const void* gradients, float* norm);

// random.cpp, normalize_image.cpp
velu_status random_fill(DeviceContext*, const velu_random_desc*, float* out);
velu_status normalize_image_forward(DeviceContext*, const velu_normalize_image_desc*, const uint8_t* x, void* y);

/// The implementation's name for operations that are not oneDNN's (impl_name.cpp asks oneDNN for the others).
const char* isa_name(int32_t isa);  // "baseline", "avx2", "avx512"

}  // namespace velu::cpu
