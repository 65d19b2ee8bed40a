// Grids, blocks and warps as fibers of one thread.
//
// A fiber runs one CUDA thread after another; only a thread that has to wait in a shuffle or barrier keeps its fiber,
// and another goes on with the next thread. So a kernel without them runs on one fiber and never switches.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cxxabi.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cstdarg>
#include <memory>
#include <numeric>
#include <vector>

#include "internal.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

// void velu_emulator_switch(void** from, void* to): keeps the stack pointer in *from and goes on at the one in to.
// Registers that a call may change need not be kept.
asm(R"(
.pushsection .text
.p2align 4
.hidden velu_emulator_switch
.globl velu_emulator_switch
.type velu_emulator_switch, @function
velu_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size velu_emulator_switch, .-velu_emulator_switch
.popsection
)");
extern "C" void velu_emulator_switch(void** from, void* to);

namespace emulator {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMostThreads = 1024;

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = size_t{256} << 10;
#else
constexpr size_t kStackBytes = size_t{64} << 10;
#endif
constexpr size_t kGuardBytes = 4096;

/// A stack and the place where it goes on; the host's own while a kernel runs, too.
struct Fiber {
    void* stack_pointer = nullptr;
    const void* stack_bottom = nullptr;
    size_t stack_bytes = 0;
    void* fake_stack = nullptr;  // AddressSanitizer's
    unsigned thread = 0;
};

struct Thread {
    Fiber* fiber;  // NULL before it starts
    uint3 index;
    Collective waits_in;
    bool finished;
    const char* file;
    unsigned line;
};

struct Deposit {
    uint64_t value;
    unsigned mask;
    int operand;
    int width;
    int bytes;
    Collective kind;
};

struct Warp {
    uint32_t present;   // lanes that the block has
    uint32_t finished;  // lanes that have returned
    uint32_t waiting;   // lanes in a collective of the warp
    Deposit deposits[kWarp];
    uint64_t results[kWarp];
};

enum class Order { kForward, kReverse, kShuffled };

Order chosen_order() {
    const char* text = std::getenv("VELU_EMULATOR_ORDER");
    const std::string name = text == nullptr || *text == '\0' ? "forward" : text;
    if (name == "forward") return Order::kForward;
    if (name == "reverse") return Order::kReverse;
    if (name == "shuffled") return Order::kShuffled;
    die("VELU_EMULATOR_ORDER is \"%s\"; use forward, reverse or shuffled", name.c_str());
}

const char* name_of(Collective kind) {
    switch (kind) {
        case Collective::kNone:
            return "nothing";
        case Collective::kBarrier:
            return "__syncthreads";
        case Collective::kBarrierCount:
            return "__syncthreads_count";
        case Collective::kBarrierAnd:
            return "__syncthreads_and";
        case Collective::kBarrierOr:
            return "__syncthreads_or";
        case Collective::kWarpBarrier:
            return "__syncwarp";
        case Collective::kShuffle:
            return "__shfl_sync";
        case Collective::kShuffleUp:
            return "__shfl_up_sync";
        case Collective::kShuffleDown:
            return "__shfl_down_sync";
        case Collective::kShuffleXor:
            return "__shfl_xor_sync";
        case Collective::kBallot:
            return "__ballot_sync";
        case Collective::kAny:
            return "__any_sync";
        case Collective::kAll:
            return "__all_sync";
        default:
            return "__reduce_sync";
    }
}

/// The threads of the running block that can go on, by their place in the order.
class ReadySet {
public:
    void fill(unsigned count) {
        summary_ = 0;
        for (unsigned word = 0; word < words_.size(); ++word) {
            const unsigned first = word * 64;
            words_[word] = count <= first        ? 0
                           : count - first >= 64 ? ~uint64_t{0}
                                                 : (uint64_t{1} << (count - first)) - 1;
            if (words_[word] != 0) summary_ |= 1u << word;
        }
    }
    void add(unsigned place) {
        words_[place / 64] |= uint64_t{1} << (place % 64);
        summary_ |= 1u << (place / 64);
    }
    void remove(unsigned place) {
        words_[place / 64] &= ~(uint64_t{1} << (place % 64));
        if (words_[place / 64] == 0) summary_ &= ~(1u << (place / 64));
    }
    /// Removes and gives the first, or -1.
    int take() {
        if (summary_ == 0) return -1;
        const unsigned word = static_cast<unsigned>(std::countr_zero(summary_));
        const unsigned bit = static_cast<unsigned>(std::countr_zero(words_[word]));
        words_[word] &= words_[word] - 1;
        if (words_[word] == 0) summary_ &= ~(1u << word);
        return static_cast<int>(word * 64 + bit);
    }

private:
    std::array<uint64_t, kMostThreads / 64> words_{};
    uint32_t summary_ = 0;
};

struct Machine {
    // Of the kernel
    const void* kernel = nullptr;  // NULL while none runs
    const std::function<void()>* body = nullptr;
    unsigned threads_per_block = 0;
    // Of the block
    unsigned unfinished = 0;
    unsigned at_barrier = 0;
    int barrier_count = 0;   // predicates that were true so far
    int barrier_result = 0;  // of the last barrier that all reached
    Collective barrier_kind = Collective::kNone;
    ReadySet ready;
    std::array<uint16_t, kMostThreads> order;  // place -> thread
    std::array<uint16_t, kMostThreads> place;  // thread -> place
    std::array<Thread, kMostThreads> threads;
    std::array<Warp, kMostThreads / kWarp> warps;
    // Fibers
    Fiber host;
    Fiber* current = nullptr;
    Fiber* left = nullptr;  // the one before
    std::vector<Fiber*> idle;
    uint64_t random = 0;
};

// A fiber that leaves finds another state when it comes back; being a global, none of it is kept in registers. Never
// destroyed, as its fibers are kept to the end.
Machine& machine = *new Machine;

/// On a fiber that has just been entered: tells AddressSanitizer, which knows the bounds of the stack that was left.
void arrive([[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
    Fiber& left = *machine.left;
    __sanitizer_finish_switch_fiber(fake_stack, &left.stack_bottom, &left.stack_bytes);
#endif
}

void enter(Fiber* to) {
    Fiber* from = machine.current;
    machine.left = from;
    machine.current = to;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_bottom, to->stack_bytes);
#endif
    velu_emulator_switch(&from->stack_pointer, to->stack_pointer);
    arrive(from->fake_stack);
}

std::string describe(unsigned thread) {
    const uint3 index = machine.threads[thread].index;
    char text[64];
    std::snprintf(text, sizeof text, "thread (%u, %u, %u)", index.x, index.y, index.z);
    return text;
}

/// Ends the process with what every thread of the block is doing.
[[noreturn]] void die_in_kernel(const std::string& what) {
    std::string states;
    int lines = 0;
    for (unsigned first = 0; first < machine.threads_per_block && lines < 40; ++lines) {
        const auto same = [&](unsigned a, unsigned b) {
            const Thread &s = machine.threads[a], &t = machine.threads[b];
            return s.finished == t.finished && s.waits_in == t.waits_in && s.line == t.line && s.file == t.file &&
                   (s.fiber == nullptr) == (t.fiber == nullptr);
        };
        unsigned end = first + 1;
        while (end < machine.threads_per_block && same(first, end)) ++end;
        const Thread& thread = machine.threads[first];
        char line[640];
        int length = std::snprintf(line, sizeof line, "  thread %u", first);
        const auto append = [&](const char* format, auto... values) {
            const auto used = std::min(static_cast<size_t>(length), sizeof line);
            length += std::snprintf(line + used, sizeof line - used, format, values...);
        };
        if (end - first > 1) append("-%u", end - 1);
        if (thread.waits_in != Collective::kNone) {
            append(" waits in %s at %s:%u\n", name_of(thread.waits_in), thread.file, thread.line);
        } else {
            append(" %s\n", thread.finished ? "has returned" : thread.fiber == nullptr ? "has not started" : "runs");
        }
        states += line;
        first = end;
    }
    die("%s\nkernel %s, grid (%u, %u, %u), block (%u, %u, %u) of %u threads:\n%s", what.c_str(),
        symbol(machine.kernel).c_str(), gridDim.x, gridDim.y, gridDim.z, blockIdx.x, blockIdx.y, blockIdx.z,
        machine.threads_per_block, states.c_str());
}

[[noreturn]] void die_of_deadlock() {
    die_in_kernel(
        "no thread of a block can go on: each waits for others in a shuffle or barrier. All lanes of a mask must reach "
        "the same warp function, all threads of a block the same __syncthreads()");
}

void run_threads();

[[noreturn]] void fiber_main() {
    arrive(nullptr);
    run_threads();
    die("a fiber ended");
}

Fiber* idle_fiber() {
    if (!machine.idle.empty()) {
        Fiber* fiber = machine.idle.back();
        machine.idle.pop_back();
        return fiber;
    }
    // Kept for the life of the process: blocks of as many threads will come again.
    void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) die("no memory for the stack of a fiber");
    mprotect(memory, kGuardBytes, PROT_NONE);
    auto* fiber = new Fiber;
    char* bottom = static_cast<char*>(memory) + kGuardBytes;
    fiber->stack_bottom = bottom;
    fiber->stack_bytes = kStackBytes;
    // What velu_emulator_switch pops: six registers and the address to return to, with the stack as after a call.
    void** top = reinterpret_cast<void**>(bottom + kStackBytes) - 1;
    *--top = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber->stack_pointer = top;
    return fiber;
}

/// Goes on with another thread than the current fiber's; comes back when that thread is ready again.
void give_way() {
    const int place = machine.ready.take();
    if (place < 0) die_of_deadlock();
    const unsigned next = machine.order[static_cast<unsigned>(place)];
    Fiber* self = machine.current;
    Thread& thread = machine.threads[next];
    if (thread.fiber == nullptr) {
        thread.fiber = idle_fiber();
        thread.fiber->thread = next;
    }
    enter(thread.fiber);
    threadIdx = machine.threads[self->thread].index;
}

void finish_thread(unsigned index) {
    Thread& thread = machine.threads[index];
    Warp& warp = machine.warps[index / kWarp];
    const uint32_t bit = 1u << (index % kWarp);
    thread.finished = true;
    warp.finished |= bit;
    --machine.unfinished;
    if (machine.at_barrier != 0) {
        die_in_kernel(describe(index) + " returns while others wait for it in " + name_of(machine.barrier_kind));
    }
    for (uint32_t waiting = warp.waiting; waiting != 0; waiting &= waiting - 1) {
        const Deposit& deposit = warp.deposits[std::countr_zero(waiting)];
        if (deposit.mask & bit) {
            die_in_kernel(describe(index) + " returns while lanes of its warp wait for it in " + name_of(deposit.kind));
        }
    }
}

/// What a fiber does all its life: one thread after another, and waiting in the pool.
void run_threads() {
    Fiber* self = machine.current;
    for (;;) {
        threadIdx = machine.threads[self->thread].index;
        (*machine.body)();
        finish_thread(self->thread);
        const int place = machine.ready.take();
        if (place < 0) {
            if (machine.unfinished != 0) die_of_deadlock();
            machine.idle.push_back(self);
            enter(&machine.host);
            continue;
        }
        const unsigned next = machine.order[static_cast<unsigned>(place)];
        Thread& thread = machine.threads[next];
        if (thread.fiber == nullptr) {
            thread.fiber = self;
            self->thread = next;
        } else {
            machine.idle.push_back(self);
            enter(thread.fiber);  // whoever comes back has set self->thread
        }
    }
}

uint64_t next_random() {
    machine.random = machine.random * 6364136223846793005u + 1442695040888963407u;
    return machine.random >> 33;
}

void set_order(Order order, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        machine.order[i] = static_cast<uint16_t>(order == Order::kReverse ? count - 1 - i : i);
    if (order == Order::kShuffled) {
        for (unsigned i = count; i > 1; --i) std::swap(machine.order[i - 1], machine.order[next_random() % i]);
    }
    for (unsigned i = 0; i < count; ++i) machine.place[machine.order[i]] = static_cast<uint16_t>(i);
}

void run_block() {
    const unsigned count = machine.threads_per_block;
    for (unsigned i = 0; i < count; ++i) {
        Thread& thread = machine.threads[i];
        thread.fiber = nullptr;
        thread.waits_in = Collective::kNone;
        thread.finished = false;
    }
    for (unsigned w = 0; w * kWarp < count; ++w) {
        Warp& warp = machine.warps[w];
        const unsigned lanes = count - w * kWarp;
        warp.present = lanes >= kWarp ? ~0u : (1u << lanes) - 1;
        warp.finished = 0;
        warp.waiting = 0;
    }
    machine.unfinished = count;
    machine.at_barrier = 0;
    machine.barrier_count = 0;
    machine.ready.fill(count);

    const unsigned first = machine.order[static_cast<unsigned>(machine.ready.take())];
    Fiber* fiber = idle_fiber();
    fiber->thread = first;
    machine.threads[first].fiber = fiber;
    enter(fiber);
}

/// A number without a common divisor with count, so that i * stride visits every block once.
uint64_t stride_for(uint64_t count) {
    uint64_t stride = count * 5 / 8 + 1;
    while (std::gcd(stride, count) != 1) ++stride;
    return stride;
}

uint64_t reduce(Collective kind, uint64_t a, uint64_t b) {
    const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
    const auto signed_x = static_cast<int32_t>(x), signed_y = static_cast<int32_t>(y);
    switch (kind) {
        case Collective::kReduceAdd:
            return x + y;
        case Collective::kReduceMinUnsigned:
            return x < y ? x : y;
        case Collective::kReduceMaxUnsigned:
            return x > y ? x : y;
        case Collective::kReduceMin:
            return signed_x < signed_y ? x : y;
        case Collective::kReduceMax:
            return signed_x > signed_y ? x : y;
        case Collective::kReduceAnd:
            return x & y;
        case Collective::kReduceOr:
            return x | y;
        default:
            return x ^ y;
    }
}

/// The lane that a shuffle reads, and this lane itself where there is none.
unsigned shuffle_source(const Deposit& deposit, unsigned lane) {
    const auto width = static_cast<unsigned>(deposit.width);
    const auto operand = static_cast<unsigned>(deposit.operand);
    const unsigned first = lane & ~(width - 1), last = lane | (width - 1);
    switch (deposit.kind) {
        case Collective::kShuffle:
            return first | (operand & (width - 1));
        case Collective::kShuffleUp:
            return operand > lane - first ? lane : lane - operand;
        case Collective::kShuffleDown:
            return operand > last - lane ? lane : lane + operand;
        default:
            return (lane ^ operand) > last ? lane : lane ^ operand;
    }
}

/// All lanes of the mask have come: results[lane] for each.
void exchange(Warp& warp, unsigned mask, unsigned warp_index) {
    const Collective kind = warp.deposits[std::countr_zero(mask)].kind;
    if (kind == Collective::kWarpBarrier) return;
    if (kind >= Collective::kShuffle && kind <= Collective::kShuffleXor) {
        for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
            const auto lane = static_cast<unsigned>(std::countr_zero(lanes));
            const unsigned source = shuffle_source(warp.deposits[lane], lane);
            if ((mask >> source & 1u) == 0) {
                die_in_kernel(describe(warp_index * kWarp + lane) + " reads in " + name_of(kind) + " from lane " +
                              std::to_string(source) + ", which is not in the mask");
            }
            warp.results[lane] = warp.deposits[source].value;
        }
        return;
    }
    uint64_t result = 0;
    bool first = true;
    for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
        const int lane = std::countr_zero(lanes);
        const uint64_t value = warp.deposits[lane].value;
        if (kind == Collective::kBallot) {
            result |= value << lane;
        } else if (kind == Collective::kAny) {
            result |= value;
        } else if (kind == Collective::kAll) {
            result = first ? value : result & value;
        } else {
            result = first ? value : reduce(kind, result, value);
        }
        first = false;
    }
    for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) warp.results[std::countr_zero(lanes)] = result;
}

unsigned current_thread(Collective kind) {
    if (machine.kernel == nullptr) die("%s is called outside a kernel", name_of(kind));
    return machine.current->thread;
}

}  // namespace

uint64_t warp_collective(Collective kind, unsigned mask, uint64_t value, int operand, int width, int bytes,
                         const Location& where) {
    const unsigned index = current_thread(kind), lane = index % kWarp;
    Thread& thread = machine.threads[index];
    Warp& warp = machine.warps[index / kWarp];
    const uint32_t bit = 1u << lane;
    thread.waits_in = kind;
    thread.file = where.file_name();
    thread.line = static_cast<unsigned>(where.line());
    const auto refuse = [&](const char* why) {
        char text[96];
        std::snprintf(text, sizeof text, " calls %s with mask 0x%08x, ", name_of(kind), mask);
        die_in_kernel(describe(index) + text + why);
    };
    if ((mask & bit) == 0) refuse("which lacks its own lane");
    if (mask & ~warp.present) refuse("which names lanes that the block does not have");
    if (mask & warp.finished) refuse("which names lanes that have returned");
    if (width <= 0 || width > 32 || (width & (width - 1)) != 0) refuse("and a width that is not 1, 2, 4, 8, 16 or 32");
    warp.deposits[lane] = {value, mask, operand, width, bytes, kind};
    warp.waiting |= bit;
    if ((warp.waiting & mask) == mask) {
        bool agree = true;
        for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
            const Deposit& other = warp.deposits[std::countr_zero(lanes)];
            agree &= other.kind == kind && other.mask == mask && other.width == width && other.bytes == bytes;
        }
        if (agree) {
            exchange(warp, mask, index / kWarp);
            warp.waiting &= ~mask;
            for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
                const unsigned other = index - lane + static_cast<unsigned>(std::countr_zero(lanes));
                machine.threads[other].waits_in = Collective::kNone;
                if (other != index) machine.ready.add(machine.place[other]);
            }
            return warp.results[lane];
        }
    }
    give_way();
    return warp.results[lane];
}

int block_collective(Collective kind, bool predicate, const Location& where) {
    const unsigned index = current_thread(kind);
    Thread& thread = machine.threads[index];
    thread.waits_in = kind;
    thread.file = where.file_name();
    thread.line = static_cast<unsigned>(where.line());
    if (machine.unfinished != machine.threads_per_block)
        die_in_kernel(describe(index) + " reaches a barrier that others have left out: they have returned");
    if (machine.at_barrier == 0) machine.barrier_kind = kind;
    if (machine.barrier_kind != kind)
        die_in_kernel(describe(index) + " waits in another kind of barrier than the threads before it");
    machine.barrier_count += predicate;
    if (++machine.at_barrier < machine.threads_per_block) {
        give_way();
        return machine.barrier_result;
    }
    machine.barrier_result = machine.barrier_count;
    machine.barrier_count = 0;
    machine.at_barrier = 0;
    machine.ready.fill(machine.threads_per_block);
    machine.ready.remove(machine.place[index]);
    for (unsigned i = 0; i < machine.threads_per_block; ++i) machine.threads[i].waits_in = Collective::kNone;
    return machine.barrier_result;
}

unsigned active_mask() {
    const unsigned index = current_thread(Collective::kNone);
    const Warp& warp = machine.warps[index / kWarp];
    return warp.present & ~warp.finished;
}

void run_kernel(const void* kernel, dim3 grid, dim3 block, const std::function<void()>& thread) {
    if (machine.kernel != nullptr) die("kernel %s is launched inside another", symbol(kernel).c_str());
    const Order order = chosen_order();
    machine.kernel = kernel;
    machine.body = &thread;
    machine.threads_per_block = block.x * block.y * block.z;
    machine.random = 0x9E3779B97F4A7C15u;
    machine.host = Fiber{};
    machine.current = &machine.host;
    gridDim = grid;
    blockDim = block;
    for (unsigned i = 0; i < machine.threads_per_block; ++i)
        machine.threads[i].index = {i % block.x, i / block.x % block.y, i / block.x / block.y};
    set_order(order, machine.threads_per_block);

    const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
    const bool shuffled = order == Order::kShuffled && blocks >> 32 == 0;  // beyond, i * stride would overflow
    const uint64_t stride = shuffled ? stride_for(blocks) : 1;
    for (uint64_t i = 0; i < blocks; ++i) {
        const uint64_t b = shuffled ? (i * stride + 1) % blocks : order == Order::kReverse ? blocks - 1 - i : i;
        blockIdx = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                    static_cast<unsigned>(b / grid.x / grid.y)};
        if (order == Order::kShuffled) set_order(order, machine.threads_per_block);
        run_block();
    }
    machine.kernel = nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages

void die(const char* format, ...) {
    std::fprintf(stderr, "CUDA emulator: ");
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fprintf(stderr, "\n");
    std::abort();
}

namespace {

/// The name in the symbol table of the file that holds the address: kernels are not among the exported symbols.
std::string mangled_symbol(const void* address) {
    Dl_info library{};
    if (dladdr(address, &library) == 0 || library.dli_fname == nullptr) return "";
    const int file = open(library.dli_fname, O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (file < 0) return "";
    void* memory = fstat(file, &status) == 0 && status.st_size > static_cast<off_t>(sizeof(Elf64_Ehdr))
                       ? mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0)
                       : MAP_FAILED;
    close(file);
    if (memory == MAP_FAILED) return "";
    const auto* bytes = static_cast<const char*>(memory);
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes);
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes + header->e_shoff);
    const auto target = static_cast<const char*>(address) - static_cast<const char*>(library.dli_fbase);
    std::string name;
    for (int i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(bytes + sections[i].sh_offset);
        const char* names = bytes + sections[sections[i].sh_link].sh_offset;
        for (size_t s = 0; s < sections[i].sh_size / sizeof(Elf64_Sym); ++s) {
            const bool executable = header->e_type == ET_EXEC;
            const auto value = static_cast<ptrdiff_t>(symbols[s].st_value);
            const ptrdiff_t wanted = executable ? reinterpret_cast<ptrdiff_t>(address) : target;
            if (value == wanted && ELF64_ST_TYPE(symbols[s].st_info) == STT_FUNC) name = names + symbols[s].st_name;
        }
    }
    munmap(memory, static_cast<size_t>(status.st_size));
    return name;
}

}  // namespace

std::string symbol(const void* address) {
    const std::string mangled = mangled_symbol(address);
    if (mangled.empty()) {
        char text[32];
        std::snprintf(text, sizeof text, "at %p", address);
        return text;
    }
    int status = 0;
    char* readable = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    const std::string name = status == 0 ? readable : mangled;
    std::free(readable);
    return name;
}

int64_t environment(const char* name, int64_t otherwise) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') return otherwise;
    char* end = nullptr;
    const long long value = std::strtoll(text, &end, 10);
    if (*end != '\0' || value < 0) die("%s is \"%s\", not a number >= 0", name, text);
    return value;
}

bool environment_is_second(const char* name, const char* first, const char* second) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0' || std::strcmp(text, first) == 0) return false;
    if (std::strcmp(text, second) != 0) die("%s is \"%s\"; use %s or %s", name, text, first, second);
    return true;
}

}  // namespace emulator
