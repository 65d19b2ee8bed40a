#include "cpu/dnnl_state.h"

#include <omp.h>

#include <algorithm>

namespace velu::cpu {
namespace {

/// Enough for every shape of a large network; a service with ever new shapes must not grow without bound.
constexpr size_t kMaxPlans = 4096;

constexpr size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/// Sets the calling thread's OpenMP thread count and puts the old one back.
class OpenMpThreads {
public:
    explicit OpenMpThreads(int threads) : old_(omp_get_max_threads()) { omp_set_num_threads(threads); }
    ~OpenMpThreads() { omp_set_num_threads(old_); }
    OpenMpThreads(const OpenMpThreads&) = delete;
    OpenMpThreads& operator=(const OpenMpThreads&) = delete;

private:
    int old_;
};

DnnlPlan failed_plan(velu_status status, const std::string& message) {
    DnnlPlan plan;
    plan.status = status;
    plan.message = message;
    return plan;
}

DnnlPlan make_or_explain(const std::function<DnnlPlan()>& make) {
    try {
        return make();
    } catch (const dnnl::error& e) {
        if (e.status == dnnl_out_of_memory) throw std::bad_alloc();  // may be otherwise next time: not kept
        if (e.status == dnnl_unimplemented) {
            return failed_plan(VELU_STATUS_UNSUPPORTED, "oneDNN has no implementation of this shape");
        }
        return failed_plan(VELU_STATUS_INTERNAL, std::string("oneDNN: ") + e.what());
    }
}

/// Builds the layout of a plan while it adds steps.
class Planner {
public:
    Planner(const DnnlState& state, DnnlPlan& plan) : state_(state), plan_(plan) {}

    dnnl::memory memory(const dnnl::memory::desc& layout) const { return {layout, state_.engine, DNNL_MEMORY_NONE}; }

    dnnl::memory internal(const dnnl::memory::desc& layout) {
        plan_.internals.push_back({memory(layout), plan_.workspace});
        plan_.workspace += round_up(layout.get_size());
        return plan_.internals.back().memory;
    }

    void add_step(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
                  std::vector<dnnl_exec_arg_t> arguments) {
        scratchpad_bytes_ = std::max(scratchpad_bytes_, round_up(scratchpad.get_size()));
        dnnl::memory scratchpad_memory = memory(scratchpad);
        arguments.push_back({DNNL_ARG_SCRATCHPAD, scratchpad_memory.get()});
        plan_.steps.push_back({primitive, scratchpad_memory, std::move(arguments)});
    }

    void add_reorder(const dnnl::memory& from, const dnnl::memory& to) {
        const dnnl::reorder::primitive_desc desc(state_.engine, from.get_desc(), state_.engine, to.get_desc(),
                                                 state_.attributes);
        add_step(dnnl::reorder(desc), desc.scratchpad_desc(), {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}});
    }

    /// The steps run one after another, so they share one scratchpad, behind the internal arguments.
    void finish() {
        plan_.scratchpad_offset = plan_.workspace;
        plan_.workspace += scratchpad_bytes_;
    }

private:
    const DnnlState& state_;
    DnnlPlan& plan_;
    size_t scratchpad_bytes_ = 0;
};

}  // namespace

DnnlState::DnnlState() : engine(dnnl::engine::kind::cpu, 0), stream(engine), attributes(make_attributes()) {}

dnnl::primitive_attr DnnlState::make_attributes() {
    dnnl::primitive_attr made;
    made.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    made.set_deterministic(true);
    return made;
}

size_t DnnlKeyHash::operator()(const DnnlKey& key) const noexcept {
    uint64_t hash = 14695981039346656037u;  // FNV-1a over words
    for (const int64_t number : key) hash = (hash ^ static_cast<uint64_t>(number)) * 1099511628211u;
    return static_cast<size_t>(hash ^ hash >> 32);
}

DnnlPlan make_plan(const DnnlState& state, const dnnl::primitive_desc_base& primitive_desc,
                   const std::vector<DnnlArgument>& arguments) {
    DnnlPlan plan;
    plan.name = primitive_desc.impl_info_str();
    Planner planner(state, plan);
    std::vector<dnnl_exec_arg_t> main_arguments;
    std::vector<std::pair<dnnl::memory, dnnl::memory>> after;
    for (const DnnlArgument& argument : arguments) {
        const dnnl::memory plain = planner.memory(argument.layout);
        plan.arguments.push_back(plain);
        const dnnl::memory::desc wanted = primitive_desc.query_md(dnnl::query::exec_arg_md, argument.index);
        dnnl::memory used = plain;
        if (wanted != argument.layout) {
            used = planner.internal(wanted);
            if (argument.written) {
                after.emplace_back(used, plain);
            } else {
                planner.add_reorder(plain, used);
            }
        }
        main_arguments.push_back({argument.index, used.get()});
    }
    planner.add_step(dnnl::primitive(primitive_desc.get()), primitive_desc.scratchpad_desc(),
                     std::move(main_arguments));
    for (const auto& [from, to] : after) planner.add_reorder(from, to);
    planner.finish();
    return plan;
}

const DnnlPlan& find_plan(Context& context, const DnnlKey& key, const std::function<DnnlPlan()>& make) {
    auto& plans = context.dnnl->plans;
    const auto found = plans.find(key);
    if (found != plans.end()) return found->second;
    const OpenMpThreads threads(context.threads);  // oneDNN fixes the division of work when it builds a primitive
    DnnlPlan plan = make_or_explain(make);
    if (plans.size() >= kMaxPlans) plans.clear();
    return plans.emplace(key, std::move(plan)).first->second;
}

velu_status run_plan(Context& context, const DnnlPlan& plan, void* workspace,
                     std::initializer_list<const void*> addresses) {
    char* base = static_cast<char*>(workspace);
    size_t next = 0;
    for (const void* address : addresses) {
        // oneDNN's memory objects are not const-correct; inputs are only read.
        dnnl_memory_set_data_handle(plan.arguments[next++].get(), const_cast<void*>(address));
    }
    for (const DnnlPlan::Internal& internal : plan.internals) {
        dnnl_memory_set_data_handle(internal.memory.get(), base + internal.offset);
    }
    const OpenMpThreads threads(context.threads);
    dnnl_stream_t stream = context.dnnl->stream.get();
    for (const DnnlPlan::Step& step : plan.steps) {
        dnnl_memory_set_data_handle(step.scratchpad.get(), base + plan.scratchpad_offset);
        const dnnl_status_t status = dnnl_primitive_execute(
            step.primitive.get(), stream, static_cast<int>(step.arguments.size()), step.arguments.data());
        if (status != dnnl_success) {
            return context.fail(status == dnnl_out_of_memory ? VELU_STATUS_OUT_OF_MEMORY : VELU_STATUS_INTERNAL,
                                "oneDNN: %s failed with status %d", plan.name.c_str(), static_cast<int>(status));
        }
    }
    return VELU_STATUS_SUCCESS;
}

}  // namespace velu::cpu
