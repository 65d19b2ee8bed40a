// The names of BackendTable's entries, in its order, so that a backend can declare and list all of them.
#pragma once

/// X(name) for the backend, its devices, contexts, memory, events and graphs.
#define VELU_CONTEXT_ENTRIES(X) \
    X(backend_query)            \
    X(device_query)             \
    X(context_create)           \
    X(context_destroy)          \
    X(context_synchronize)      \
    X(context_threads)          \
    X(context_workspace_size)   \
    X(impl_name)                \
    X(memory_allocate)          \
    X(memory_free)              \
    X(memory_copy)              \
    X(memory_set)               \
    X(host_memory_allocate)     \
    X(host_memory_free)         \
    X(memory_copy_async)        \
    X(event_create)             \
    X(event_destroy)            \
    X(event_record)             \
    X(event_wait)               \
    X(event_synchronize)        \
    X(event_elapsed)

/// Entries that only some backends have.
#define VELU_GRAPH_ENTRIES(X) \
    X(graph_begin)            \
    X(graph_end)              \
    X(graph_launch)           \
    X(graph_destroy)

/// X(name) for the functions that compute: name is that of velu.h without the leading "velu_".
#define VELU_OPERATION_ENTRIES(X)     \
    X(velu_forward)                   \
    X(velu_backward)                  \
    X(wasserstein_forward)            \
    X(wasserstein_backward)           \
    X(activation_statistics)          \
    X(activation_forward)             \
    X(activation_backward)            \
    X(add_forward)                    \
    X(cast_forward)                   \
    X(transpose_forward)              \
    X(copy_rows_forward)              \
    X(channel_scale_forward)          \
    X(channel_scale_backward)         \
    X(dropout_forward)                \
    X(dropout_backward)               \
    X(conv2d_prepare)                 \
    X(conv2d_forward)                 \
    X(conv2d_backward_data)           \
    X(conv2d_backward_weights)        \
    X(conv2d_packed_bytes)            \
    X(conv2d_packed_prepare)          \
    X(conv2d_pack)                    \
    X(conv2d_packed_forward)          \
    X(linear_prepare)                 \
    X(linear_forward)                 \
    X(linear_backward_data)           \
    X(linear_backward_weights)        \
    X(scaled_linear_prepare)          \
    X(scaled_linear_forward)          \
    X(scaled_linear_backward_data)    \
    X(scaled_linear_backward_weights) \
    X(attention_prepare)              \
    X(attention_forward)              \
    X(attention_backward)             \
    X(token_embedding_forward)        \
    X(token_embedding_backward)       \
    X(layer_norm_forward)             \
    X(layer_norm_backward)            \
    X(batch_norm_forward_training)    \
    X(batch_norm_forward_inference)   \
    X(batch_norm_fold)                \
    X(batch_norm_backward)            \
    X(max_pool2d_forward)             \
    X(max_pool2d_backward)            \
    X(avg_pool2d_forward)             \
    X(avg_pool2d_backward)            \
    X(global_avg_pool_forward)        \
    X(global_avg_pool_backward)       \
    X(adaptive_avg_pool2d_forward)    \
    X(adaptive_avg_pool2d_backward)   \
    X(softmax_cross_entropy_forward)  \
    X(softmax_cross_entropy_backward) \
    X(top_k_count)                    \
    X(optimizer_step)                 \
    X(gradient_norm)                  \
    X(lerp)                           \
    X(random_fill)                    \
    X(normalize_image_forward)

/// Declares a function of an entry's type under its name, in the namespace where it stands.
#define VELU_DECLARE_ENTRY(name) std::remove_pointer_t<decltype(velu::BackendTable::name)> name;

/// The designated initializer of an entry with the function of that name.
#define VELU_TABLE_ENTRY(name) .name = name,
