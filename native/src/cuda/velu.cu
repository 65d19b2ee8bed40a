// VeLU and its gradient: one pass over memory each (velu_rows.cuh), and a tiny kernel that joins the blocks' sums. No
// float is added atomically; the order of every sum depends on the shape and the device only.
//
// Where float32 cannot give the moments, or the gradient of the Wasserstein-2 term (math/velu_float64.h), the device
// finds out and goes over in float64: in forward a block does so for its own rows when it has seen their moments; in
// backward a kernel that returns at once in the ordinary case recomputes the moments first.
#include "cuda/operations.h"
#include "cuda/velu_rows.cuh"

namespace velu::cuda {

namespace {

/// Moments of A in float64, parts[gridDim], if the gradient needs them: about 500 instructions per element then, and a
/// few per thread otherwise.
template <class T, bool kIsBlock>
__global__ void __launch_bounds__(kRowThreads, 1)
    velu_exact_moments(RowShape shape, velu_velu_params params, float w2_weight, const float* moments, const T* x,
                       math::Moments* parts) {
    const double elements = static_cast<double>(shape.rows) * static_cast<double>(shape.channels);
    if (math::float32_gradient_suffices(params, w2_weight, moments, elements)) return;
    const Team<kIsBlock> team(shape);
    const math::Moments all = float64_moments<1>(team, shape, params, x);
    if (threadIdx.x == 0) parts[blockIdx.x] = all;
}

/// Second stage of dlambda.
__global__ void finish_dlambda(const double* parts, int count, float* dlambda) {
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) sum += parts[i];
    sum = block_total(sum);
    if (threadIdx.x == 0) *dlambda = static_cast<float>(sum);
}

template <class T>
void forward(Context& context, const velu_velu_desc& desc, const T* x, const float* lambda, T* y, float* moments) {
    using Source = PlainSource<T>;
    const bool packed = desc.channels % kPackSize<T> == 0 && aligned_to_16(x, y);
    const RowPlan plan =
        plan_rows<T>(context, desc.rows, desc.channels, packed, kForwardElements<Source>, kForwardResident);
    ForwardArguments<T> arguments{
        plan.shape, RowScaleConstants(desc.params, desc.channels), VeluGate<T>(desc.params), lambda, y, nullptr};
    if (moments != nullptr) {
        arguments.moments = context.scratch<math::Moments>(plan.blocks * sizeof(math::Moments));
        // A block whose moments turn out to need float64 reads x again. In place it would find y, so y comes after.
        const bool in_place = x == y;
        if (in_place) arguments.y = nullptr;
        launch_velu_forward(context, plan, arguments, Source{x});
        launch(context, finish_moments, 1, kRowThreads, arguments.moments, static_cast<int>(plan.blocks), moments);
        if (!in_place) return;
        arguments.y = y;
        arguments.moments = nullptr;
    }
    launch_velu_forward(context, plan, arguments, Source{x});
}

template <class T>
void backward(Context& context, const velu_velu_desc& desc, const T* x, const T* dy, const float* lambda,
              const float* moments, T* dx, float* dlambda) {
    using Source = PlainSource<T>;
    const bool packed = desc.channels % kPackSize<T> == 0 && aligned_to_16(x, dy, dx);
    const RowPlan plan =
        plan_rows<T>(context, desc.rows, desc.channels, packed, kBackwardElements, kBackwardResident<Source>);
    // A float64 part of the moments per block of the kernel that finds them, and of dlambda per block of the gradient.
    const RowPlan exact = plan_rows<T>(context, desc.rows, desc.channels, false, 1, kBackwardResident<Source>);
    auto* const parts =
        context.scratch<math::Moments>(exact.blocks * sizeof(math::Moments) + plan.blocks * sizeof(double));
    auto* const dlambda_parts = reinterpret_cast<double*>(parts + exact.blocks);
    if (desc.w2_weight != 0) {
        launch(context,
               exact.kernel == RowKernel::kAnyInBlock ? velu_exact_moments<T, true> : velu_exact_moments<T, false>,
               exact.blocks, exact.threads, exact.shape, desc.params, desc.w2_weight, moments, x, parts);
    }
    const BackwardArguments<T> arguments{plan.shape,
                                         RowScaleConstants(desc.params, desc.channels),
                                         VeluGate<T>(desc.params),
                                         dy,
                                         lambda,
                                         desc.w2_weight,
                                         moments,
                                         parts,
                                         static_cast<int32_t>(exact.blocks),
                                         dx,
                                         dlambda_parts,
                                         nullptr};
    launch_velu_backward(context, plan, arguments, Source{x});
    if (dlambda != nullptr) {
        launch(context, finish_dlambda, 1, kRowThreads, dlambda_parts, static_cast<int>(plan.blocks), dlambda);
    }
}

}  // namespace

velu_status velu_forward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const float* lambda,
                         void* y, float* moments) {
    return guarded(context, [&](Context& ctx) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            forward(ctx, *desc, static_cast<const T*>(x), lambda, static_cast<T*>(y), moments);
        });
    });
}

velu_status velu_backward(DeviceContext* context, const velu_velu_desc* desc, const void* x, const void* dy,
                          const float* lambda, const float* moments, void* dx, float* dlambda) {
    return guarded(context, [&](Context& ctx) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            backward(ctx, *desc, static_cast<const T*>(x), static_cast<const T*>(dy), lambda, moments,
                     static_cast<T*>(dx), dlambda);
        });
    });
}

}  // namespace velu::cuda
