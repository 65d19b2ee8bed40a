#include "cuda/plan.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace velu::cuda {
namespace {

constexpr float kFailed = std::numeric_limits<float>::infinity();
constexpr int kTimedRuns = 3;
constexpr float kSameTime = 1.03f;  // below the scatter of the measurement

/// Two events, destroyed with it.
struct EventPair {
    EventPair() {
        check(cudaEventCreateWithFlags(&start, cudaEventDefault), "cudaEventCreateWithFlags");
        check(cudaEventCreateWithFlags(&end, cudaEventDefault), "cudaEventCreateWithFlags");
    }
    ~EventPair() {
        if (start != nullptr) cudaEventDestroy(start);
        if (end != nullptr) cudaEventDestroy(end);
    }
    EventPair(const EventPair&) = delete;
    EventPair& operator=(const EventPair&) = delete;
    cudaEvent_t start = nullptr;
    cudaEvent_t end = nullptr;
};

/// Milliseconds of one run, the least of `runs` after one that is not counted, or 0 if runs is; kFailed if it fails.
float time(Context& context, const Plan& plan, const Operands& operands, void* workspace, const EventPair& events,
           int runs) {
    try {
        plan.run(context, operands, workspace);
        check(cudaStreamSynchronize(context.compute()), "cudaStreamSynchronize");
        float best = runs == 0 ? 0 : kFailed;
        for (int i = 0; i < runs; ++i) {
            check(cudaEventRecord(events.start, context.compute()), "cudaEventRecord");
            plan.run(context, operands, workspace);
            check(cudaEventRecord(events.end, context.compute()), "cudaEventRecord");
            check(cudaEventSynchronize(events.end), "cudaEventSynchronize");
            float milliseconds = 0;
            check(cudaEventElapsedTime(&milliseconds, events.start, events.end), "cudaEventElapsedTime");
            best = std::min(best, milliseconds);
        }
        return best;
    } catch (const Failure&) {
        cudaStreamSynchronize(context.compute());
        cudaGetLastError();  // a launch that was refused leaves its error behind
        return kFailed;
    }
}

}  // namespace

bool autotunes() {
    const char* value = std::getenv("VELU_CUDA_AUTOTUNE");
    return value == nullptr || std::strcmp(value, "0") != 0;
}

size_t most_candidates() {
    return autotunes() ? 8 : 3;
}

size_t workspace_limit() {
    size_t free = 0;
    size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return std::min(free / 4, size_t{1} << 30);
}

Plan choose(Context& context, std::vector<Plan> candidates, const Operands& operands) {
    if (candidates.empty()) return {};
    size_t most = 0;
    for (const Plan& plan : candidates) most = std::max(most, plan.workspace);
    const TemporaryMemory workspace(most);
    const EventPair events;
    const bool timed = autotunes();
    std::vector<float> times;
    for (Plan& plan : candidates) {
        const bool fits = plan.workspace == 0 || workspace.get() != nullptr;
        times.push_back(fits ? time(context, plan, operands, workspace.get(), events, timed ? kTimedRuns : 0)
                             : kFailed);
        if (times.back() == kFailed) continue;
        if (!timed) return std::move(plan);
        times.back() *= plan.handicap;
    }
    const float fastest = *std::min_element(times.begin(), times.end());
    size_t best = candidates.size();
    for (size_t i = 0; i < candidates.size(); ++i) {
        if (times[i] == kFailed || times[i] > fastest * kSameTime) continue;
        if (best == candidates.size() || candidates[i].workspace < candidates[best].workspace) best = i;
    }
    return best == candidates.size() ? Plan{} : std::move(candidates[best]);
}

TemporaryMemory::TemporaryMemory(size_t bytes) {
    if (bytes > 0 && cudaMalloc(&memory_, bytes) != cudaSuccess) {
        memory_ = nullptr;
        cudaGetLastError();
    }
}

TemporaryMemory::~TemporaryMemory() {
    if (memory_ != nullptr) cudaFree(memory_);
}

}  // namespace velu::cuda
