/*
 * VeLU: C ABI of the native library.
 *
 * Copyright the VeLU for the JVM authors. SPDX-License-Identifier: Apache-2.0
 *
 * This is the whole public interface and the only header the Java bindings are generated from. It is plain C11.
 *
 * Conventions
 * - Every call that can fail returns a velu_status. Nothing aborts, throws or exits across this boundary. After a
 *   status other than VELU_STATUS_SUCCESS, velu_context_last_error(context) says what was wrong and how to mend it.
 * - Operations are named velu_<operation>_<verb>(context, descriptor, inputs..., outputs...). A descriptor is a
 *   fixed-width struct; it is read during the call only. It starts with the device and the dtype of the data.
 * - On CUDA a call puts its work on the context's compute stream and returns: what it wrote may be read by later calls
 * of the same context at once, and by the host after velu_memory_copy, velu_event_synchronize or
 *   velu_context_synchronize. An error of the device itself is reported by a later call, as INTERNAL. Values that live
 * in device memory (labels, learning rates) cannot be checked there; each function says what a wrong one does.
 * - Tensors are raw pointers to dense row-major memory on the context's device, aligned to their element size (64 bytes
 *   is fastest). Images are NHWC; convolution weights are
 * [out_channels][kernel_height][kernel_width][in_channels/groups]; linear weights are [out_features][in_features]. The
 * caller owns all of them and must make them as large as the descriptor says: the library cannot see the size of a raw
 * pointer.
 * - `void*` data has the descriptor's dtype. Parameters, statistics, gradients of parameters, losses and moments are
 *   always float32 (`float*`), whatever the dtype.
 * - Outputs are overwritten, never accumulated into, unless a function says otherwise. Inputs and outputs may not
 * overlap unless a function says so.
 * - A context is used by one thread at a time. A call that finds the context in use by another thread returns
 *   VELU_STATUS_BUSY and does nothing else.
 * - The same call with the same inputs, shape and thread count gives the same bits. On CUDA whether all pointers are
 *   aligned to 16 bytes counts as well, and convolutions and linear layers take the fastest of several algorithms,
 * timed once per context; the environment variable VELU_CUDA_AUTOTUNE=0 makes them take the first, the same every time.
 * - A tensor of zero elements is a valid no-op unless a function says otherwise; its pointers may then be NULL.
 */
#ifndef VELU_H
#define VELU_H

#include <stddef.h>
#include <stdint.h>

#if defined(VELU_BUILDING)
#define VELU_API __attribute__((visibility("default")))
#else
#define VELU_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------ */
/* Versions, status, enumerations */
/* ------------------------------------------------------------------------------------------------------------------ */

/** Version of this ABI. It changes with every incompatible change; callers compare it with velu_abi_version() once. */
#define VELU_ABI_VERSION 5

typedef int32_t velu_status;
enum {
    VELU_STATUS_SUCCESS = 0,
    VELU_STATUS_INVALID_ARGUMENT = 1,    /* an argument is outside its documented range */
    VELU_STATUS_UNSUPPORTED = 2,         /* valid, but this backend has no implementation of it */
    VELU_STATUS_OUT_OF_MEMORY = 3,       /* host or device memory is exhausted */
    VELU_STATUS_BUSY = 4,                /* another thread is inside a call on this context */
    VELU_STATUS_BACKEND_UNAVAILABLE = 5, /* the device's backend could not be loaded or finds no device */
    VELU_STATUS_INTERNAL = 6             /* a library below (oneDNN, CUDA, ...) failed; the message names it */
};

/** Kind of device. */
enum { VELU_DEVICE_CPU = 0, VELU_DEVICE_CUDA = 1 };

/** Element type of tensors. */
enum { VELU_DTYPE_F32 = 0, VELU_DTYPE_BF16 = 1 };

/** Activation functions. VELU takes its constants from a velu_velu_params. */
enum {
    VELU_ACTIVATION_IDENTITY = 0,
    VELU_ACTIVATION_RELU = 1,  /* max(x, 0) */
    VELU_ACTIVATION_RELU6 = 2, /* min(max(x, 0), 6) */
    VELU_ACTIVATION_SILU = 3,  /* x * sigmoid(x); "Swish" with beta = 1 */
    VELU_ACTIVATION_GELU = 4,  /* x * Phi(x), exact (erf) */
    VELU_ACTIVATION_VELU = 5,
    VELU_ACTIVATION_SIGMOID = 6 /* 1 / (1 + exp(-x)): gates, not layers */
};

/** The row statistic s of VeLU, over the C channels of one row. */
enum {
    VELU_STATISTIC_INVERSE_RMS = 0, /* 1 / sqrt(mean(x^2) + eps) */
    VELU_STATISTIC_STD = 1          /* sqrt(mean((x - mean(x))^2) + eps) */
};

/** How the squared Wasserstein-2 distance of n numbers A to the standard normal is taken. */
enum {
    VELU_W2_GAUSSIAN = 0,   /* closed form for normal distributions: mean(A)^2 + (std(A) - 1)^2 over all elements */
    VELU_W2_EMPIRICAL = 1,  /* exact transport in one dimension: mean of (A_(i) - Phi^-1((i - 1/2) / n))^2, A sorted */
    VELU_W2_PER_CHANNEL = 2 /* the closed form of every channel, averaged over the channels */
};

/** Vector instruction set of the CPU backend's own kernels. */
enum {
    VELU_ISA_AUTO = 0, /* the best this processor has */
    VELU_ISA_BASELINE = 1,
    VELU_ISA_AVX2 = 2,
    VELU_ISA_AVX512 = 3
};

/** ABI version the library was built with. Never fails. */
VELU_API uint32_t velu_abi_version(void);

/** Version of this library, e.g. "0.1.0". Never NULL; static storage. */
VELU_API const char* velu_version(void);

/** Name of a status, e.g. "invalid argument". Never NULL; static storage. */
VELU_API const char* velu_status_name(velu_status status);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Backends and devices */
/* ------------------------------------------------------------------------------------------------------------------ */

/** What is known of one backend. */
typedef struct velu_backend_info {
    int32_t device;       /* VELU_DEVICE_* */
    int32_t available;    /* 1 if contexts can be created */
    int32_t device_count; /* devices found */
    int32_t reserved;
    /* libraries below, one per line: its version, e.g. "oneDNN 3.11.0 (built with 3.11.0)", or why it was not found */
    char libraries[1024];
    char reason[512]; /* why it is unavailable; empty if available */
} velu_backend_info;

/** What is known of one device. */
typedef struct velu_device_info {
    int32_t device; /* VELU_DEVICE_* */
    int32_t index;
    int64_t memory_total; /* bytes */
    int64_t memory_free;  /* bytes */
    int32_t cores;        /* logical processors this process may use, or multiprocessors */
    int32_t isa;          /* best VELU_ISA_* (CPU), compute capability * 10 (CUDA) */
    int32_t dtypes; /* bit 1 << VELU_DTYPE_* for every dtype that operations compute in; on the CPU with that isa */
    int32_t reserved;
    char name[128];
} velu_device_info;

/**
 * Names folders, separated by ':', that are searched before all others for the libraries that a backend opens at run
 * time: cuDNN, cuBLAS and cuBLASLt for CUDA; the CPU backend opens none. Takes effect only before the backend is first
 * queried; later it is INVALID_ARGUMENT. NULL or "" for none.
 */
VELU_API velu_status velu_backend_library_path(int32_t device, const char* folders);

/**
 * Describes the backend for a kind of device, loading it at the first call. The plugin libvelu_<device>.so is looked
 * for beside the library that holds this function. A missing backend is a success with available = 0 and a reason.
 * Fails with INVALID_ARGUMENT for an unknown device or NULL info. Safe from any thread.
 */
VELU_API velu_status velu_backend_query(int32_t device, velu_backend_info* info);

/** Describes one device. INVALID_ARGUMENT for an index out of range, BACKEND_UNAVAILABLE without its backend. */
VELU_API velu_status velu_device_query(int32_t device, int32_t index, velu_device_info* info);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Context */
/* ------------------------------------------------------------------------------------------------------------------ */

/** An opaque execution context on one device: threads or stream, workspace, caches of implementations, last message. */
typedef struct velu_context velu_context;

typedef struct velu_context_desc {
    int32_t device;       /* VELU_DEVICE_* */
    int32_t device_index; /* 0 .. device_count - 1 */
    int32_t threads;      /* CPU: threads per operation, 1..1024; 0 = all processors this process may use */
    int32_t isa;          /* CPU: VELU_ISA_*; one the processor lacks is UNSUPPORTED */
    int32_t allow_tf32; /* CUDA: 1 lets float32 convolutions and linear layers round their operands to TF32 (10 bits of
                           mantissa) for the tensor cores; 0 keeps float32. Ignored on the CPU */
    int32_t reserved;
} velu_context_desc;

/**
 * Creates a context and stores it in *context; on failure stores NULL and a NUL-terminated message (cut to
 * message_capacity bytes) in message, which may be NULL if message_capacity is 0.
 */
VELU_API velu_status velu_context_create(const velu_context_desc* desc, velu_context** context, char* message,
                                         size_t message_capacity);

/** Releases a context after its work has finished. BUSY if another thread is inside a call. NULL is a no-op. */
VELU_API velu_status velu_context_destroy(velu_context* context);

/**
 * Message of the last failed call on this context; "" if none failed. Valid until the next call on the context.
 * VELU_STATUS_BUSY leaves it as it was, since the message belongs to the thread inside: use velu_status_name then.
 */
VELU_API const char* velu_context_last_error(const velu_context* context);

/** Waits until all work given to the context has finished. On the CPU every call is complete when it returns. */
VELU_API velu_status velu_context_synchronize(velu_context* context);

/** Threads per operation of a CPU context (0 on other devices). */
VELU_API velu_status velu_context_threads(velu_context* context, int32_t* threads);

/** Bytes of scratch memory the context holds now. It grows to the need of the largest operation and never shrinks. */
VELU_API velu_status velu_context_workspace_size(velu_context* context, int64_t* bytes);

/**
 * Name of the implementation an operation uses with this descriptor, e.g. "brgconv:avx512_core" for "conv2d_forward",
 * "avx512" for "velu_forward". operation is the function's name without the leading "velu_"; desc is that operation's
 * descriptor and may be NULL where the choice does not depend on it. The name, NUL-terminated and cut to capacity
 * bytes, is stored in name.
 */
VELU_API velu_status velu_impl_name(velu_context* context, const char* operation, const void* desc, char* name,
                                    size_t capacity);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Memory */
/* ------------------------------------------------------------------------------------------------------------------ */

/** Direction of a copy. Both sides are host memory on a CPU context. */
enum { VELU_COPY_HOST_TO_DEVICE = 0, VELU_COPY_DEVICE_TO_HOST = 1, VELU_COPY_DEVICE_TO_DEVICE = 2 };

/** Allocates device memory aligned to 64 bytes (256 on CUDA), zeroed. bytes >= 1. OUT_OF_MEMORY says how much is free.
 */
VELU_API velu_status velu_memory_allocate(velu_context* context, int64_t bytes, void** memory);

/** Releases memory from velu_memory_allocate of the same context. NULL is a no-op. */
VELU_API velu_status velu_memory_free(velu_context* context, void* memory);

/** Copies bytes between non-overlapping memory and waits for the copy. direction is VELU_COPY_*. bytes >= 0. */
VELU_API velu_status velu_memory_copy(velu_context* context, int32_t direction, const void* source, void* destination,
                                      int64_t bytes);

/** Sets every one of bytes >= 0 bytes of device memory to value (its low 8 bits). */
VELU_API velu_status velu_memory_set(velu_context* context, void* memory, int32_t value, int64_t bytes);

/**
 * Allocates zeroed host memory aligned to 64 bytes; on CUDA it is page-locked, so that copies from and to it run beside
 * other work. bytes >= 1.
 */
VELU_API velu_status velu_host_memory_allocate(velu_context* context, int64_t bytes, void** memory);

/** Releases memory from velu_host_memory_allocate of the same context, after all work that uses it. NULL is a no-op. */
VELU_API velu_status velu_host_memory_free(velu_context* context, void* memory);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Streams, events and graphs */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * The two queues of a context: work of one runs in order, the two run beside each other. All operations go to COMPUTE.
 * On the CPU every call is complete when it returns, so the order is that of the calls.
 */
enum { VELU_STREAM_COMPUTE = 0, VELU_STREAM_TRANSFER = 1 };

/**
 * Puts a copy of bytes >= 0 bytes on a stream. Host memory should come from velu_host_memory_allocate, must stay
 * unchanged until the copy is done, and is only then valid if it is the destination.
 */
VELU_API velu_status velu_memory_copy_async(velu_context* context, int32_t stream, int32_t direction,
                                            const void* source, void* destination, int64_t bytes);

/** A point in a stream's work. */
typedef struct velu_event velu_event;

/** Creates an event that nothing waits for yet. */
VELU_API velu_status velu_event_create(velu_context* context, velu_event** event);

/** Releases an event of the same context. NULL is a no-op. */
VELU_API velu_status velu_event_destroy(velu_context* context, velu_event* event);

/** Moves the event to the end of the work that is on the stream now. */
VELU_API velu_status velu_event_record(velu_context* context, velu_event* event, int32_t stream);

/** Work put on the stream from now on waits for the event; one that was never recorded is not waited for. */
VELU_API velu_status velu_event_wait(velu_context* context, velu_event* event, int32_t stream);

/** The calling thread waits for the event; one that was never recorded is not waited for. */
VELU_API velu_status velu_event_synchronize(velu_context* context, velu_event* event);

/** Milliseconds of the stream's time between two recorded events that have been reached, e.g. after synchronizing with
 * the second. INVALID_ARGUMENT if one was never recorded. */
VELU_API velu_status velu_event_elapsed(velu_context* context, velu_event* start, velu_event* end, float* milliseconds);

/** Operations recorded once, to be run again and again by one call with the same memory. */
typedef struct velu_graph velu_graph;

/**
 * From here to velu_graph_end operations on the context are recorded, not run. They must have run once before with the
 * same descriptors, so that implementations are chosen and scratch memory is there; allocating, waiting and the copies
 * that wait are errors meanwhile. Only CUDA has graphs: on the CPU this is UNSUPPORTED.
 */
VELU_API velu_status velu_graph_begin(velu_context* context);

/** Ends the recording and stores the graph; on failure stores NULL, and the context is as before velu_graph_begin. */
VELU_API velu_status velu_graph_end(velu_context* context, velu_graph** graph);

/** Runs everything recorded, on the compute stream. */
VELU_API velu_status velu_graph_launch(velu_context* context, velu_graph* graph);

/** Releases a graph of the same context, after its last run has finished. NULL is a no-op. */
VELU_API velu_status velu_graph_destroy(velu_context* context, velu_graph* graph);

/* ------------------------------------------------------------------------------------------------------------------ */
/* VeLU */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * Constants of VeLU (Shakarami et al., arXiv 2504.15051). For each row of C channels and each element x:
 *     s = row statistic                         a = 1 + gamma * tanh(mu * s)
 *     m = atan(beta1 x) + asin(clip(beta2 x, -1, 1))        g = 1 / (1 + exp(-alpha m))
 *     A = x g a                                 y = lambda A
 * The released layer has alpha = beta1 = beta2 = gamma = 0.1, mu = 0.9, eps = 1e-6, statistic INVERSE_RMS, no clamp.
 */
typedef struct velu_velu_params {
    float alpha;       /* finite; gate steepness */
    float beta1;       /* finite; inside atan */
    float beta2;       /* finite; inside asin */
    float gamma;       /* |gamma| < 1; strength of the adaptive scale */
    float mu;          /* finite; gain on the statistic */
    float eps;         /* > 0 and finite; floor of the variance */
    int32_t statistic; /* VELU_STATISTIC_* */
    int32_t clamp;   /* 1: a is clamped to [scale_min, scale_max] and its derivative is 0 where it clips; 0: no clamp */
    float scale_min; /* read only with clamp = 1; finite, scale_min <= scale_max */
    float scale_max;
} velu_velu_params;

/**
 * VeLU over x[rows][channels]; rows >= 0, channels >= 1.
 * w2_weight is the weight w of the Wasserstein-2 term in the loss, w * W2^2 with W2^2 = mean(A)^2 + (std(A) - 1)^2 over
 * all elements of A (population statistics); finite, 0 for none. It matters to the backward pass only.
 */
typedef struct velu_velu_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    velu_velu_params params;
    float w2_weight;
    int32_t reserved;
} velu_velu_desc;

/**
 * y = VeLU(x), in one pass over memory.
 * x, y: [rows][channels], y may be x. lambda: one float, or NULL for 1. moments: 3 floats {mean(A), std(A), W2^2}, or
 * NULL if not wanted; with moments, rows = 0 is INVALID_ARGUMENT.
 */
VELU_API velu_status velu_velu_forward(velu_context* context, const velu_velu_desc* desc, const void* x,
                                       const float* lambda, void* y, float* moments);

/**
 * Gradient of sum(dy * y) + w2_weight * W2^2, in one pass over memory (two reads, one write per element); moments so
 * ill-conditioned that float32 would miss the accuracy are recomputed first, with another pass over x.
 * x, dy, dx: [rows][channels], dx may be dy. lambda as in forward. moments: what forward stored; may be NULL if
 * w2_weight = 0. dlambda: one float, sum(dy * A), or NULL if not wanted.
 */
VELU_API velu_status velu_velu_backward(velu_context* context, const velu_velu_desc* desc, const void* x,
                                        const void* dy, const float* lambda, const float* moments, void* dx,
                                        float* dlambda);

/**
 * The squared Wasserstein-2 distance of a[rows][channels] to the standard normal, by the kind VELU_W2_*, and the
 * scaling y = lambda a that ends a VeLU: for the kinds that VeLU's own kernels, which are GAUSSIAN, do not take in.
 * a is then VeLU without lambda. rows, channels >= 1: an empty tensor has no distance. EMPIRICAL takes at most
 * 2^32 - 1 elements and needs scratch memory of 16 bytes for each.
 */
typedef struct velu_wasserstein_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    int32_t kind;    /* VELU_W2_* */
    float w2_weight; /* weight w of W2^2 in the loss, finite; it matters to the backward pass only */
} velu_wasserstein_desc;

/**
 * moments: 3 floats {mean(a), std(a), W2^2}, the first two over all elements (population statistics). lambda: one
 * float, or NULL for 1. y: [rows][channels], lambda a, may be a; or NULL if not wanted.
 * saved, for backward, or NULL if not wanted: EMPIRICAL [rows][channels], the quantile Phi^-1((i - 1/2) / n) that each
 * element is transported to; of equal elements the first gets the smaller one. PER_CHANNEL [2][channels] and GAUSSIAN
 * [2], means, then standard deviations. A NaN in a makes moments NaN, and saved where it is of the channel or, for the
 * other two kinds, everywhere.
 */
VELU_API velu_status velu_wasserstein_forward(velu_context* context, const velu_wasserstein_desc* desc, const void* a,
                                              const float* lambda, void* y, float* saved, float* moments);

/**
 * Gradient of sum(dy * lambda * a) + w2_weight * W2^2.
 * a, dy, da: [rows][channels]; da may be dy; dy may be NULL for 0. lambda as in forward. saved: what forward stored;
 * may be NULL if w2_weight = 0. dlambda: one float, sum(dy * a), or NULL if not wanted. A channel (GAUSSIAN: tensor)
 * whose standard deviation is 0 has no gradient of the term in it.
 */
VELU_API velu_status velu_wasserstein_backward(velu_context* context, const velu_wasserstein_desc* desc, const void* a,
                                               const void* dy, const float* lambda, const float* saved, void* da,
                                               float* dlambda);

/**
 * What an activation does to x[rows][channels], e.g. at one site of a network; rows, channels >= 1. activation is VELU,
 * RELU, RELU6, SILU, GELU or SIGMOID; params is read for VELU only.
 */
typedef struct velu_activation_statistics_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    int32_t activation; /* VELU_ACTIVATION_* */
    int32_t reserved;
    velu_velu_params params;
} velu_activation_statistics_desc;

/**
 * x: [rows][channels], what goes in. a: [rows][channels], f(x); for VELU before lambda. lambda: one float, or NULL
 * for 1.
 * values: 6 floats {mean(a), std(a), mean(a)^2 + (std(a) - 1)^2, least, mean and largest adaptive scale of the rows};
 * the last three are 1 for all but VELU.
 * counts: 2 numbers {dead units, saturated elements}. A unit is a channel; it is dead if |lambda a| <= 1e-6 in all
 * rows. An element is saturated where f has no gradient or, for functions without such a part, nearly none: VELU |beta2
 * x| >= 1, where the asin is clipped; RELU x <= 0; RELU6 x <= 0 or x >= 6; SILU and GELU where the factor of x is below
 * 0.001: x <= -6.9067548, x <= -3.0902323; SIGMOID |x| >= 6.9067548. A NaN is not saturated, and makes its unit not
 * dead.
 */
VELU_API velu_status velu_activation_statistics(velu_context* context, const velu_activation_statistics_desc* desc,
                                                const void* x, const void* a, const float* lambda, float* values,
                                                int64_t* counts);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Elementwise operations */
/* ------------------------------------------------------------------------------------------------------------------ */

/** A pointwise activation of count >= 0 elements; activation is RELU, RELU6, SILU, GELU or SIGMOID. */
typedef struct velu_activation_desc {
    int32_t device;
    int32_t dtype;
    int64_t count;
    int32_t activation; /* VELU_ACTIVATION_* */
    int32_t reserved;
} velu_activation_desc;

/** y = f(x). x, y: [count], y may be x. */
VELU_API velu_status velu_activation_forward(velu_context* context, const velu_activation_desc* desc, const void* x,
                                             void* y);

/**
 * dx = dy f'(x); f' of ReLU is 0 at 0, of ReLU6 0 at 0 and 6, so for these two f(x) may be given in place of x.
 * x, dy, dx: [count], dx may be dy.
 */
VELU_API velu_status velu_activation_backward(velu_context* context, const velu_activation_desc* desc, const void* x,
                                              const void* dy, void* dx);

/** Sum of two tensors of count >= 0 elements. */
typedef struct velu_add_desc {
    int32_t device;
    int32_t dtype;
    int64_t count;
} velu_add_desc;

/** y = a + b. a, b, y: [count]; y may be a or b. Its gradient is dy for both inputs. */
VELU_API velu_status velu_add_forward(velu_context* context, const velu_add_desc* desc, const void* a, const void* b,
                                      void* y);

/** Conversion of count >= 0 elements from source_dtype to dtype; to bfloat16 it rounds to nearest, ties to even. */
typedef struct velu_cast_desc {
    int32_t device;
    int32_t dtype; /* of y */
    int64_t count;
    int32_t source_dtype; /* of x */
    int32_t reserved;
} velu_cast_desc;

/** y = x in another dtype. x, y: [count]. NaN stays NaN. */
VELU_API velu_status velu_cast_forward(velu_context* context, const velu_cast_desc* desc, const void* x, void* y);

/**
 * Transposition of batch >= 0 matrices x[batch][rows][columns] -> y[batch][columns][rows]; rows, columns >= 0. With
 * rows = C and columns = H * W it turns NCHW into NHWC, and back the other way round.
 */
typedef struct velu_transpose_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t rows;
    int64_t columns;
} velu_transpose_desc;

/** y[b][column][row] = x[b][row][column]. */
VELU_API velu_status velu_transpose_forward(velu_context* context, const velu_transpose_desc* desc, const void* x,
                                            void* y);

/**
 * Copy of a matrix whose rows lie pitch elements apart: what puts channels beside each other where they could not be
 * computed in place, and takes one token out of a sequence. rows >= 0, channels >= 1, pitches >= channels.
 */
typedef struct velu_copy_rows_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    int64_t x_pitch;
    int64_t y_pitch;
    int32_t zero_rest; /* 1: the y_pitch - channels elements after every row of y become 0, after the last one too */
    int32_t reserved;
} velu_copy_rows_desc;

/** y[row][channel] = x[row][channel]. What lies between y's rows stays, unless zero_rest is set. */
VELU_API velu_status velu_copy_rows_forward(velu_context* context, const velu_copy_rows_desc* desc, const void* x,
                                            void* y);

/**
 * Multiplication of the channels of every image by factors of its own, as squeeze-and-excitation does (Hu et al., CVPR
 * 2018): x[batch][pixels][channels], scale[batch][channels]. batch >= 0, others >= 1.
 */
typedef struct velu_channel_scale_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t pixels;
    int64_t channels;
} velu_channel_scale_desc;

/** y = x * scale. y: as x, may be x. */
VELU_API velu_status velu_channel_scale_forward(velu_context* context, const velu_channel_scale_desc* desc,
                                                const void* x, const void* scale, void* y);

/** dx = dy * scale, dscale = sum of dy * x over the pixels. dx: as x, may be dy. dscale: [batch][channels]. */
VELU_API velu_status velu_channel_scale_backward(velu_context* context, const velu_channel_scale_desc* desc,
                                                 const void* x, const void* scale, const void* dy, void* dx,
                                                 void* dscale);

/**
 * Dropout of count >= 0 elements: an element is kept with probability 1 - probability and then scaled by
 * 1 / (1 - probability). Which ones are kept is a function of (seed, stream, *step, index / group) only
 * (Philox4x32-10). group = 1 decides for every element; group = elements of one image decides for images as a whole:
 * stochastic depth (Huang et al., ECCV 2016).
 */
typedef struct velu_dropout_desc {
    int32_t device;
    int32_t dtype;
    int64_t count;
    uint64_t seed;
    uint32_t stream;   /* distinguishes the dropout sites of a network */
    float probability; /* 0 <= probability < 1 */
    int64_t group;     /* >= 1, divides count: neighbours that share one decision */
} velu_dropout_desc;

/** y = dropout(x) for the training step *step (device memory). x, y: [count], y may be x. */
VELU_API velu_status velu_dropout_forward(velu_context* context, const velu_dropout_desc* desc, const int64_t* step,
                                          const void* x, void* y);

/** dx = dropout(dy) with the mask of the same *step. dy, dx: [count], dx may be dy. */
VELU_API velu_status velu_dropout_backward(velu_context* context, const velu_dropout_desc* desc, const int64_t* step,
                                           const void* dy, void* dx);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Convolution and linear */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * 2-D convolution (cross-correlation) with zero padding. x: [batch][in_height][in_width][in_channels],
 * weight: [out_channels][kernel_height][kernel_width][in_channels / groups], y:
 * [batch][out_height][out_width][out_channels], out = (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1
 * (rounded down, >= 1). groups divides in_channels and out_channels. batch >= 0; all other sizes >= 1, padding >= 0.
 */
typedef struct velu_conv2d_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t in_height;
    int64_t in_width;
    int64_t in_channels;
    int64_t out_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t padding_height;
    int32_t padding_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t groups;
    int32_t activation; /* f of the forward pass: VELU_ACTIVATION_*, IDENTITY for none, not VELU; others ignore it */
    int64_t y_pitch;    /* elements from one pixel of y and dy to the next, >= out_channels; 0 = out_channels */
} velu_conv2d_desc;

/** Verbs of convolution and linear, for velu_*_prepare. */
enum { VELU_PASS_FORWARD = 0, VELU_PASS_BACKWARD_DATA = 1, VELU_PASS_BACKWARD_WEIGHTS = 2 };

/** Chooses, builds and caches the implementation of one pass and grows the context's workspace to its need. */
VELU_API velu_status velu_conv2d_prepare(velu_context* context, const velu_conv2d_desc* desc, int32_t pass);

/**
 * y = f(conv(x, weight) + bias); bias: [out_channels] or NULL. On the CPU ReLU of minus infinity may be NaN, and 3 x 3
 * kernels may be computed by Winograd's algorithm, in all passes: an infinity or NaN in a tile of 4 x 4 pixels then
 * makes all results of the tile NaN, up to two pixels away.
 */
VELU_API velu_status velu_conv2d_forward(velu_context* context, const velu_conv2d_desc* desc, const void* x,
                                         const void* weight, const float* bias, void* y);

/** dx = gradient with respect to x. */
VELU_API velu_status velu_conv2d_backward_data(velu_context* context, const velu_conv2d_desc* desc, const void* dy,
                                               const void* weight, void* dx);

/** dweight, float32 like the weight's shape, and dbias: [out_channels] or NULL. batch = 0 stores zeros. */
VELU_API velu_status velu_conv2d_backward_weights(velu_context* context, const velu_conv2d_desc* desc, const void* x,
                                                  const void* dy, float* dweight, float* dbias);

/*
 * Convolution for inference: the weight is scaled, converted to the descriptor's dtype and laid out as the
 * implementation wants it once, instead of with every call. What is packed is for the descriptor it was packed with, of
 * which only activation and y_pitch may then differ, and for contexts of the same kind, threads and instruction set.
 */

/** *bytes = size of the packed weight, 0 for an empty batch. Grows the workspace to the need of velu_conv2d_pack. */
VELU_API velu_status velu_conv2d_packed_bytes(velu_context* context, const velu_conv2d_desc* desc, int64_t* bytes);

/**
 * Packs scale[o] * weight[o] and packed_bias[o] = scale[o] * bias[o] + shift[o]. weight: float32 whatever the dtype.
 * bias, scale, shift: [out_channels], or NULL for 0, 1 and 0. packed: as many bytes as velu_conv2d_packed_bytes says,
 * aligned to 64. packed_bias: [out_channels]. An empty batch packs nothing.
 */
VELU_API velu_status velu_conv2d_pack(velu_context* context, const velu_conv2d_desc* desc, const float* weight,
                                      const float* bias, const float* scale, const float* shift, void* packed,
                                      float* packed_bias);

/** As velu_conv2d_prepare, for velu_conv2d_packed_forward without a residual (has_residual = 0) or with one (1). */
VELU_API velu_status velu_conv2d_packed_prepare(velu_context* context, const velu_conv2d_desc* desc,
                                                int32_t has_residual);

/**
 * y = f(conv(x, weight) + bias + residual) with what velu_conv2d_pack stored. residual: dense
 * [batch][out_height][out_width][out_channels], or NULL; y may be residual if it is dense, too. In bfloat16 the
 * convolution may be rounded before bias and residual are added. On the CPU ReLU of a sum that overflows to minus
 * infinity may be NaN instead of 0.
 */
VELU_API velu_status velu_conv2d_packed_forward(velu_context* context, const velu_conv2d_desc* desc, const void* x,
                                                const void* packed, const float* packed_bias, const void* residual,
                                                void* y);

/** y = x weight^T + bias; x: [rows][in_features], weight: [out_features][in_features], y: [rows][out_features]. */
typedef struct velu_linear_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;         /* >= 0 */
    int64_t in_features;  /* >= 1 */
    int64_t out_features; /* >= 1 */
    int32_t activation;   /* as in velu_conv2d_desc */
    int32_t reserved;
} velu_linear_desc;

/** As velu_conv2d_prepare. */
VELU_API velu_status velu_linear_prepare(velu_context* context, const velu_linear_desc* desc, int32_t pass);

/** y = f(x weight^T + bias); bias: [out_features] or NULL. On the CPU ReLU of minus infinity may be NaN. */
VELU_API velu_status velu_linear_forward(velu_context* context, const velu_linear_desc* desc, const void* x,
                                         const void* weight, const float* bias, void* y);

/** dx = dy weight. */
VELU_API velu_status velu_linear_backward_data(velu_context* context, const velu_linear_desc* desc, const void* dy,
                                               const void* weight, void* dx);

/** dweight = dy^T x, dbias = sum of dy over rows, or NULL if not wanted. rows = 0 stores zeros. */
VELU_API velu_status velu_linear_backward_weights(velu_context* context, const velu_linear_desc* desc, const void* x,
                                                  const void* dy, float* dweight, float* dbias);

/**
 * A linear layer over the channels of scaled images: y = (x * scale) weight^T, the channel scale and the 1 x 1
 * convolution that follows it in an inverted bottleneck, without the scaled tensor in memory.
 * x: [batch][pixels][in_features], scale: [batch][in_features], weight: [out_features][in_features],
 * y: [batch][pixels][out_features]. batch >= 0, others >= 1.
 */
typedef struct velu_scaled_linear_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t pixels;
    int64_t in_features;
    int64_t out_features;
} velu_scaled_linear_desc;

/** As velu_conv2d_prepare. */
VELU_API velu_status velu_scaled_linear_prepare(velu_context* context, const velu_scaled_linear_desc* desc,
                                                int32_t pass);

VELU_API velu_status velu_scaled_linear_forward(velu_context* context, const velu_scaled_linear_desc* desc,
                                                const void* x, const void* scale, const void* weight, void* y);

/** dx = (dy weight) * scale; dscale = sum of (dy weight) * x over the pixels: [batch][in_features]. */
VELU_API velu_status velu_scaled_linear_backward_data(velu_context* context, const velu_scaled_linear_desc* desc,
                                                      const void* x, const void* scale, const void* dy,
                                                      const void* weight, void* dx, void* dscale);

/** dweight = dy^T (x * scale), float32. batch = 0 stores zeros. */
VELU_API velu_status velu_scaled_linear_backward_weights(velu_context* context, const velu_scaled_linear_desc* desc,
                                                         const void* x, const void* scale, const void* dy,
                                                         float* dweight);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Transformers */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * Multi-head self-attention (Vaswani et al., NIPS 2017) of projected tokens. With q, k, v of one image and head
 * [tokens][head_size]:   y = softmax(scale q k^T) v.
 * qkv: [batch][tokens][3][heads][head_size], the result of torch's in_proj; y: [batch][tokens][heads][head_size].
 * The matrix of scores is never stored as a whole. batch >= 0, others >= 1.
 */
typedef struct velu_attention_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t tokens;
    int64_t heads;
    int64_t head_size;
    float scale; /* finite, usually 1 / sqrt(head_size) */
    int32_t reserved;
} velu_attention_desc;

/** As velu_conv2d_prepare; pass is FORWARD or BACKWARD_DATA. */
VELU_API velu_status velu_attention_prepare(velu_context* context, const velu_attention_desc* desc, int32_t pass);

/** log_sum_exp: [batch][heads][tokens], of the scaled scores, for backward, or NULL. */
VELU_API velu_status velu_attention_forward(velu_context* context, const velu_attention_desc* desc, const void* qkv,
                                            void* y, float* log_sum_exp);

/** dqkv from dy; y and log_sum_exp are what forward stored. dqkv: as qkv. */
VELU_API velu_status velu_attention_backward(velu_context* context, const velu_attention_desc* desc, const void* qkv,
                                             const void* y, const void* dy, const float* log_sum_exp, void* dqkv);

/**
 * Class token and position embedding (Dosovitskiy et al., ICLR 2021) of patches x[batch][patches][channels]:
 * y[n][0] = class_token + position[0], y[n][1 + p] = x[n][p] + position[1 + p]; y: [batch][patches + 1][channels].
 * batch >= 0, others >= 1.
 */
typedef struct velu_token_embedding_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t patches;
    int64_t channels;
} velu_token_embedding_desc;

/** class_token: [channels], position: [patches + 1][channels]. */
VELU_API velu_status velu_token_embedding_forward(velu_context* context, const velu_token_embedding_desc* desc,
                                                  const void* x, const float* class_token, const float* position,
                                                  void* y);

/** dx: as x. dclass_token, dposition: sums of dy over the batch. batch = 0 stores zeros. */
VELU_API velu_status velu_token_embedding_backward(velu_context* context, const velu_token_embedding_desc* desc,
                                                   const void* dy, void* dx, float* dclass_token, float* dposition);

/**
 * Layer normalization (Ba et al., 2016) of z = x + residual over the channels of each row, biased variance:
 * y = weight * (z - mean(z)) / sqrt(var(z) + eps) + bias. rows >= 0, channels >= 1.
 */
typedef struct velu_layer_norm_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    float eps; /* > 0, finite */
    int32_t reserved;
} velu_layer_norm_desc;

/**
 * x, y, residual (or NULL): [rows][channels]; weight, bias: [channels]. sum: z as it is stored in the dtype, required
 * if and only if residual is given; may be x or residual. saved_mean, saved_inv_std: [rows], for backward; NULL both if
 * not wanted. y may be x or residual if sum is not the same.
 */
VELU_API velu_status velu_layer_norm_forward(velu_context* context, const velu_layer_norm_desc* desc, const void* x,
                                             const void* residual, const float* weight, const float* bias, void* sum,
                                             void* y, float* saved_mean, float* saved_inv_std);

/**
 * z: x or sum of the forward pass. dz_addend: [rows][channels], what else flows back to z, or NULL. dx: [rows]
 * [channels], gradient with respect to z (so to x and residual alike), may be dy or dz_addend. dweight, dbias:
 * [channels]. rows = 0 stores zeros there.
 */
VELU_API velu_status velu_layer_norm_backward(velu_context* context, const velu_layer_norm_desc* desc, const void* z,
                                              const void* dy, const void* dz_addend, const float* weight,
                                              const float* saved_mean, const float* saved_inv_std, void* dx,
                                              float* dweight, float* dbias);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Batch normalization, with the residual sum and the activation that follow it */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * y = f(weight * (x - mean) / sqrt(var + eps) + bias + residual) over x[rows][channels], rows = N*H*W, statistics per
 * channel over rows (biased variance for normalizing; torch's rule for the running ones).
 * rows >= 1 in inference, rows >= 2 in training (as torch), channels >= 1.
 */
typedef struct velu_batch_norm_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t channels;
    float eps;          /* > 0, finite */
    float momentum;     /* 0..1: running = (1 - momentum) running + momentum batch; the batch's variance unbiased */
    int32_t activation; /* f: VELU_ACTIVATION_* but SIGMOID, IDENTITY for none */
    float w2_weight;    /* as in velu_velu_desc; read only with activation VELU */
    velu_velu_params params; /* read only with activation VELU */
    /* elements from one row to the next, >= channels; 0 = channels. Other tensors are dense */
    int64_t x_pitch;
    int64_t dx_pitch;
    int64_t dx_addend_pitch;
} velu_batch_norm_desc;

/**
 * Training forward: one pass for the statistics, one to apply.
 * x, y, residual (or NULL): [rows][channels]; weight, bias: [channels]; lambda: one float or NULL for 1 (VELU only).
 * running_mean, running_var: [channels], updated; both NULL to keep none. num_batches_tracked: incremented, or NULL.
 * saved_mean, saved_inv_std: [channels], the batch's statistics for backward. moments: 3 floats as in
 * velu_velu_forward, or NULL; only with VELU. y may be residual, not x.
 */
VELU_API velu_status velu_batch_norm_forward_training(velu_context* context, const velu_batch_norm_desc* desc,
                                                      const void* x, const float* weight, const float* bias,
                                                      const void* residual, const float* lambda, float* running_mean,
                                                      float* running_var, int64_t* num_batches_tracked, void* y,
                                                      float* saved_mean, float* saved_inv_std, float* moments);

/** Inference forward with given statistics; arguments as in training. y may be x or residual. */
VELU_API velu_status velu_batch_norm_forward_inference(velu_context* context, const velu_batch_norm_desc* desc,
                                                       const void* x, const float* weight, const float* bias,
                                                       const void* residual, const float* lambda,
                                                       const float* running_mean, const float* running_var, void* y,
                                                       float* moments);

/**
 * What inference makes of its statistics: scale[c] = weight[c] / sqrt(running_var[c] + eps), shift[c] = bias[c] -
 * scale[c] * running_mean[c], so that y = f(scale * x + shift + residual); velu_conv2d_pack takes them into the
 * convolution before. All arrays: [channels]. Of the descriptor only device, channels and eps matter.
 */
VELU_API velu_status velu_batch_norm_fold(velu_context* context, const velu_batch_norm_desc* desc, const float* weight,
                                          const float* bias, const float* running_mean, const float* running_var,
                                          float* scale, float* shift);

/**
 * Gradient of the training forward; the activation's input is recomputed from x and residual.
 * dy: [rows][channels]. dx_addend: [rows][channels], what else flows back to x and is added to dx, or NULL.
 * dx: [rows][channels], may be dy, or dx_addend of the same pitch. dresidual: [rows][channels], required if and only
 * if residual is given; may be dy if dx is not. dweight, dbias: [channels]. dlambda: one float, or NULL. moments may be
 * NULL if w2_weight = 0.
 */
VELU_API velu_status velu_batch_norm_backward(velu_context* context, const velu_batch_norm_desc* desc, const void* x,
                                              const void* dy, const float* weight, const float* bias,
                                              const void* residual, const float* lambda, const float* saved_mean,
                                              const float* saved_inv_std, const float* moments, const void* dx_addend,
                                              void* dx, void* dresidual, float* dweight, float* dbias, float* dlambda);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Pooling */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * 2-D pooling over x[batch][in_height][in_width][channels]. out = (in + 2 padding - kernel) / stride + 1, rounded down,
 * >= 1. batch >= 0; sizes >= 1; 0 <= padding <= kernel / 2 (torch's rule); kernel_height * kernel_width <= 255 for max
 * pooling.
 */
typedef struct velu_pool2d_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t in_height;
    int64_t in_width;
    int64_t channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t padding_height;
    int32_t padding_width;
    int32_t count_include_pad; /* average pooling: 1 divides by the kernel's size, 0 by the elements inside the image */
    int32_t reserved;
    int64_t y_pitch; /* elements from one pixel of y and dy to the next, >= channels; 0 = channels. argmax is dense */
} velu_pool2d_desc;

/**
 * Maximum with -inf padding; a NaN in a window wins, of equals the first. y: [batch][out_height][out_width][channels],
 * argmax: uint8, same shape, position in the window (row * kernel_width + column), or NULL in inference.
 */
VELU_API velu_status velu_max_pool2d_forward(velu_context* context, const velu_pool2d_desc* desc, const void* x,
                                             void* y, uint8_t* argmax);

/** dx from dy and the argmax that forward stored. */
VELU_API velu_status velu_max_pool2d_backward(velu_context* context, const velu_pool2d_desc* desc, const void* dy,
                                              const uint8_t* argmax, void* dx);

VELU_API velu_status velu_avg_pool2d_forward(velu_context* context, const velu_pool2d_desc* desc, const void* x,
                                             void* y);

VELU_API velu_status velu_avg_pool2d_backward(velu_context* context, const velu_pool2d_desc* desc, const void* dy,
                                              void* dx);

/** Mean over the pixels of each image: x[batch][pixels][channels] -> y[batch][channels]. batch >= 0, others >= 1. */
typedef struct velu_global_avg_pool_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t pixels;
    int64_t channels;
} velu_global_avg_pool_desc;

VELU_API velu_status velu_global_avg_pool_forward(velu_context* context, const velu_global_avg_pool_desc* desc,
                                                  const void* x, void* y);

/** dx = dy / pixels. */
VELU_API velu_status velu_global_avg_pool_backward(velu_context* context, const velu_global_avg_pool_desc* desc,
                                                   const void* dy, void* dx);

/**
 * Average pooling to a given size (torch's adaptive_avg_pool2d): output i of an axis is the mean of the inputs
 * floor(i in / out) .. ceil((i + 1) in / out) - 1; windows overlap where out does not divide in, and repeat where out >
 * in. x: [batch][in_height][in_width][channels], y: [batch][out_height][out_width][channels]. batch >= 0, others >= 1.
 */
typedef struct velu_adaptive_avg_pool2d_desc {
    int32_t device;
    int32_t dtype;
    int64_t batch;
    int64_t in_height;
    int64_t in_width;
    int64_t channels;
    int64_t out_height;
    int64_t out_width;
} velu_adaptive_avg_pool2d_desc;

VELU_API velu_status velu_adaptive_avg_pool2d_forward(velu_context* context, const velu_adaptive_avg_pool2d_desc* desc,
                                                      const void* x, void* y);

VELU_API velu_status velu_adaptive_avg_pool2d_backward(velu_context* context, const velu_adaptive_avg_pool2d_desc* desc,
                                                       const void* dy, void* dx);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Loss and metrics */
/* ------------------------------------------------------------------------------------------------------------------ */

/**
 * Softmax cross-entropy, averaged over the rows that have a label (torch's reduction "mean" with ignore_index -1).
 * The target distribution is (1 - label_smoothing) onehot(label) + label_smoothing / classes.
 */
typedef struct velu_softmax_cross_entropy_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;          /* >= 1 */
    int64_t classes;       /* >= 1 */
    float label_smoothing; /* 0..1 */
    int32_t reserved;
} velu_softmax_cross_entropy_desc;

/**
 * logits: [rows][classes]; labels: int32 [rows], 0..classes-1, or -1 for a row to leave out (any other value is
 * INVALID_ARGUMENT on the CPU, naming the row; on CUDA it makes the loss NaN and the row's gradient zero).
 * other_labels: int32 [rows], and label_shares: [rows], for rows of two classes: a row's loss is label_shares times
 * that of its label plus (1 - label_shares) times that of its other label. In rows with a label the other label is
 * 0..classes-1 and the share 0..1, and a wrong one is treated as a wrong label. Both NULL for rows of one class. loss:
 * one float, the mean, 0 if no row has a label. log_sum_exp: [rows], for backward, or NULL.
 */
VELU_API velu_status velu_softmax_cross_entropy_forward(velu_context* context,
                                                        const velu_softmax_cross_entropy_desc* desc, const void* logits,
                                                        const int32_t* labels, const int32_t* other_labels,
                                                        const float* label_shares, float* loss, float* log_sum_exp);

/**
 * dlogits of the mean loss, times *dloss if dloss is not NULL. Labels and shares are forward's. Rows without a label
 * get zeros.
 */
VELU_API velu_status velu_softmax_cross_entropy_backward(velu_context* context,
                                                         const velu_softmax_cross_entropy_desc* desc,
                                                         const void* logits, const int32_t* labels,
                                                         const int32_t* other_labels, const float* label_shares,
                                                         const float* log_sum_exp, const float* dloss, void* dlogits);

/** Counting of correct predictions; rows >= 1, classes >= 1, k >= 1 (k > classes counts every labelled row). */
typedef struct velu_top_k_desc {
    int32_t device;
    int32_t dtype;
    int64_t rows;
    int64_t classes;
    int32_t k;
    int32_t reserved;
} velu_top_k_desc;

/**
 * *count = rows whose label is among the k largest logits; of equal logits the lower class ranks first, a NaN ranks
 * above everything and a row whose own logit is NaN is never correct, whatever k. Rows with label -1 do not count (nor,
 * on CUDA, rows with a label that is no class).
 */
VELU_API velu_status velu_top_k_count(velu_context* context, const velu_top_k_desc* desc, const void* logits,
                                      const int32_t* labels, int64_t* count);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Optimizers */
/* ------------------------------------------------------------------------------------------------------------------ */

/** Update rules; the formulas are torch.optim's (SGD, Adam, AdamW, NAdam), whose constants have the same names. */
enum {
    VELU_OPTIMIZER_SGD = 0,
    VELU_OPTIMIZER_ADAM = 1,  /* weight decay added to the gradient */
    VELU_OPTIMIZER_ADAMW = 2, /* decoupled weight decay */
    VELU_OPTIMIZER_NADAM = 3  /* weight decay added to the gradient */
};

/** One step over a flat buffer of count >= 0 float32 parameters. Constants that an algorithm does not name are ignored.
 */
typedef struct velu_optimizer_desc {
    int32_t device;
    int32_t dtype; /* of the gradients; parameters and states are float32 */
    int64_t count;
    int32_t algorithm;    /* VELU_OPTIMIZER_* */
    int32_t nesterov;     /* SGD: 1 for Nesterov momentum (needs momentum > 0) */
    float momentum;       /* SGD: 0 <= momentum < 1 */
    float beta1;          /* Adam...: 0 <= beta1 < 1 */
    float beta2;          /* Adam...: 0 <= beta2 < 1 */
    float eps;            /* Adam...: > 0 */
    float weight_decay;   /* >= 0 */
    float momentum_decay; /* NAdam: >= 0, torch's default 0.004 */
    float clip_value;     /* > 0: each gradient is then clamped to [-clip_value, clip_value]; 0: off */
    float max_norm; /* > 0: gradients are scaled by min(1, max_norm / (norm + 1e-6)) before anything else; 0: off */
} velu_optimizer_desc;

/**
 * learning_rate: one float, device memory, >= 0 (on CUDA a wrong one makes the parameters NaN). gradient_norm: one
 * float from velu_gradient_norm, required if max_norm > 0. counters: 2 doubles, device memory, {steps taken, NAdam's
 * product of mu}, start at {0, 1}, updated. parameters: [count], updated. gradients: [count]. state0: [count], momentum
 * buffer or first moment (NULL for SGD without momentum). state1: [count], second moment (NULL for SGD). States start
 * at 0.
 */
VELU_API velu_status velu_optimizer_step(velu_context* context, const velu_optimizer_desc* desc,
                                         const float* learning_rate, const float* gradient_norm, double* counters,
                                         float* parameters, const void* gradients, float* state0, float* state1);

typedef struct velu_gradient_norm_desc {
    int32_t device;
    int32_t dtype;
    int64_t count;
} velu_gradient_norm_desc;

/** *norm = sqrt(sum(gradients^2)), accumulated in float64 in a fixed order. gradients: [count]. */
VELU_API velu_status velu_gradient_norm(velu_context* context, const velu_gradient_norm_desc* desc,
                                        const void* gradients, float* norm);

/** A step of one flat buffer of count >= 0 values towards another. */
typedef struct velu_lerp_desc {
    int32_t device;
    int32_t dtype; /* of the values; the average is float32 */
    int64_t count;
} velu_lerp_desc;

/**
 * average += weight (values - average), or = values where the weight is 1, whatever the average was: running means and
 * exponential moving averages. weight: one float, device memory, 0..1 (on CUDA a wrong one makes the average NaN).
 * values: [count]. average: [count], updated.
 */
VELU_API velu_status velu_lerp(velu_context* context, const velu_lerp_desc* desc, const float* weight,
                               const void* values, float* average);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Random numbers and images */
/* ------------------------------------------------------------------------------------------------------------------ */

/** Distributions of velu_random_fill. */
enum {
    VELU_DISTRIBUTION_UNIFORM = 0,         /* in [a, b) */
    VELU_DISTRIBUTION_NORMAL = 1,          /* mean a, standard deviation b */
    VELU_DISTRIBUTION_TRUNCATED_NORMAL = 2 /* mean a, standard deviation b, redrawn until inside [low, high] */
};

/**
 * count >= 0 float32 numbers from Philox4x32-10 (Salmon et al., SC 2011) with the key seed and the counter
 * (index / 4, stream); a redraw continues in a counter of its own. Element i depends on (seed, stream, i) only: the
 * same bits on every backend and thread count.
 */
typedef struct velu_random_desc {
    int32_t device;
    int32_t dtype; /* VELU_DTYPE_F32 */
    int64_t count;
    uint64_t seed;
    uint64_t stream;
    int32_t distribution; /* VELU_DISTRIBUTION_* */
    float a;
    float b; /* UNIFORM: b >= a; NORMAL...: b >= 0 */
    float low;
    float high; /* TRUNCATED_NORMAL: low < high, holding at least 1 % of the normal's mass */
    int32_t reserved;
} velu_random_desc;

VELU_API velu_status velu_random_fill(velu_context* context, const velu_random_desc* desc, float* out);

/**
 * Images: uint8 x[batch][height][width][channels] -> y[batch][out_height][out_width][channels], cropped or padded,
 * maybe mirrored, and normalized: y = (pixel / 255 - mean[c]) / std[c]. channels 1..4.
 */
typedef struct velu_normalize_image_desc {
    int32_t device;
    int32_t dtype; /* of y */
    int64_t batch;
    int64_t height;
    int64_t width;
    int64_t channels;
    int64_t out_height;
    int64_t out_width;
    float mean[4];
    float std[4]; /* > 0 */
} velu_normalize_image_desc;

/**
 * placement: int32 [batch][3] {top, left, mirrored}: y's pixel (row, column) is x's pixel (top + row, left + column),
 * black (0) where that is outside the image; with mirrored != 0 y's columns run from right to left. NULL places every
 * image at (0, 0), unmirrored.
 */
VELU_API velu_status velu_normalize_image_forward(velu_context* context, const velu_normalize_image_desc* desc,
                                                  const uint8_t* x, const int32_t* placement, void* y);

/* ------------------------------------------------------------------------------------------------------------------ */
/* Layout facts for bindings */
/* ------------------------------------------------------------------------------------------------------------------ */

/** Size and offset of one field of one descriptor, as this library was compiled. */
typedef struct velu_layout_entry {
    const char* type;  /* e.g. "velu_conv2d_desc" */
    const char* field; /* e.g. "groups"; "" for the struct itself */
    int64_t offset;    /* bytes; 0 for the struct */
    int64_t size;      /* bytes */
} velu_layout_entry;

/** The index-th entry of the table of all structs above, or NULL past its end. Static storage. */
VELU_API const velu_layout_entry* velu_layout(int64_t index);

#ifdef __cplusplus
}
#endif

#endif
