// One way to compute one pass of a convolution or of a fully connected layer, and the choice among several by timing.
#pragma once

#include "cuda/context.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace velu::cuda {

/// Device memory of one pass. FORWARD: x, weight -> y. BACKWARD_DATA: dy, weight -> dx. BACKWARD_WEIGHTS: x, dy ->
/// dweight (float32 always).
struct Operands {
    const void* first = nullptr;
    const void* second = nullptr;
    void* out = nullptr;
    const float* bias = nullptr;  // FORWARD only, or NULL
};

struct Plan {
    std::string name;        // e.g. "cudnn:engine 34"
    size_t workspace = 0;    // bytes of scratch memory, aligned to 256
    bool adds_bias = false;  // whether run() adds Operands::bias; else the caller must
    float handicap = 1;      // factor on the measured time, for a plan that is less exact than its competitors
    /// Puts the work on the compute stream. Throws a Failure. Empty only in a plan that was never made.
    std::function<void(Context& context, const Operands& operands, void* workspace)> run;
};

/// Whether plans are timed: the environment variable VELU_CUDA_AUTOTUNE is not 0.
bool autotunes();

/// Candidates to ask a library for: more cost time once per shape and seldom win; without timing, some to fall back on.
size_t most_candidates();

/// Workspace that a library's plan may ask for: a quarter of the free device memory, at most 1 GiB.
size_t workspace_limit();

/// Runs every candidate and returns the fastest; of those within 3 % of it, the one with the smallest workspace. With
/// autotunes() false the first one that runs. Candidates that fail to run are left out; if none is left, a Plan without
/// run. Writes to operands.out only what a run writes.
Plan choose(Context& context, std::vector<Plan> candidates, const Operands& operands);

/// Device memory for as long as a choice takes; NULL if there is none.
class TemporaryMemory {
public:
    explicit TemporaryMemory(size_t bytes);
    ~TemporaryMemory();
    TemporaryMemory(const TemporaryMemory&) = delete;
    TemporaryMemory& operator=(const TemporaryMemory&) = delete;
    void* get() const { return memory_; }

private:
    void* memory_ = nullptr;
};

/// Bytes rounded up to the alignment of scratch memory.
inline size_t padded(size_t bytes) {
    return (bytes + 255) / 256 * 256;
}

}  // namespace velu::cuda
