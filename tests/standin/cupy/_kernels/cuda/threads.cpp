// Runs the threads of a CUDA block on one thread of the operating system: every pretend thread runs until it must wait for
// others, then the next one does. Compiled once; kernels find these functions when they are loaded.
//
// A thread needs a stack of its own only once it waits. So threads that never wait run one after another on the same stack, and
// the launch of a kernel without barriers is a loop.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

// ------------------------------------------------------------------------------------------------- switching stacks

extern "C" void standin_worker();
// Saves the registers that a function must keep, stores the stack pointer in *save, and goes on where `target` was saved.
extern "C" void standin_switch(void** save, void* target);

#if defined(__x86_64__)
asm(R"(
.text
.globl standin_switch
.hidden standin_switch
.type standin_switch, @function
standin_switch:
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
.size standin_switch, .-standin_switch
)");
static void* prepare(char* top) {
    void** p = (void**)top - 8;  // six registers, the address to return to, and where its own caller's would be
    memset(p, 0, 64);
    p[6] = (void*)standin_worker;
    return p;
}
#elif defined(__aarch64__)
asm(R"(
.text
.globl standin_switch
.hidden standin_switch
.type standin_switch, %function
standin_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size standin_switch, .-standin_switch
)");
static void* prepare(char* top) {
    void** p = (void**)top - 20;
    memset(p, 0, 160);
    p[11] = (void*)standin_worker;
    return p;
}
#else
extern "C" void standin_switch(void** save, void* target) {
    ucontext_t here;  // on the stack that sleeps
    *save = &here;
    swapcontext(&here, (ucontext_t*)target);
}
static const size_t CONTEXT = (sizeof(ucontext_t) + 63) / 64 * 64;
static char* stack_of(char* top);
static void* prepare(char* top) {
    ucontext_t* context = (ucontext_t*)(top - CONTEXT);
    getcontext(context);
    context->uc_stack.ss_sp = stack_of(top);
    context->uc_stack.ss_size = (char*)context - stack_of(top);
    context->uc_link = nullptr;
    makecontext(context, standin_worker, 0);
    return context;
}
#endif

// ------------------------------------------------------------------------------------------------- state

struct Index { unsigned x, y, z; };
extern "C" {
Index threadIdx, blockIdx, blockDim, gridDim;
alignas(1024) char standin_dynamic_shared[(228 << 10) + 1024];
char standin_error[2048];
}

enum State : unsigned char { UNSTARTED, READY, RUNNING, AT_BARRIER, IN_EXCHANGE, DONE };
enum Kind { SYNC, SHFL, UP, DOWN, XOR, BALLOT, MATCH, ADD, MIN, MAX, MIN_SIGNED, MAX_SIGNED, AND, OR, BITXOR };
static const char* const KINDS[] = {
    "__syncwarp", "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync",
    "__ballot_sync, __any_sync or __all_sync", "__match_any_sync", "__reduce_add_sync", "__reduce_min_sync",
    "__reduce_max_sync", "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync", "__reduce_xor_sync"};

static const int MAX_THREADS = 1024;
static const size_t STACK = 128 << 10, PAGE = 4096, GUARD = 64;

struct Thread {
    State state;
    Index index;
    char* stack;          // its top; null for a thread that has none
    void* stack_pointer;  // where it sleeps
    int line;             // of the source, where it waits
    int kind, operand, width;
    unsigned mask;
    unsigned long long value;  // what it gives in an exchange, then what it gets
};
struct Warp { unsigned exists, runnable, exchanging; };  // one bit per lane; runnable: READY or UNSTARTED

static Thread threads[MAX_THREADS];
static Warp warps[32];
static int thread_count, warp_count, current, finished, at_barrier, barrier_line, barrier_votes, barrier_result;
static char* free_stacks[MAX_THREADS + 1];
static char* all_stacks[MAX_THREADS + 1];
static int free_count, stack_count;
static void* main_stack_pointer;
static bool failed;
static void (*kernel)(void**);
static void** arguments;

static uint64_t order;  // 0: forward, 1: backward, else shuffled from this state
static unsigned draw(unsigned n) {
    order = order * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((order >> 33) % n);
}
static bool shuffled() { return order > 1; }

static void fail(const char* format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(standin_error, sizeof standin_error, format, list);
    va_end(list);
    failed = true;
    void* abandoned;
    standin_switch(&abandoned, main_stack_pointer);  // the stacks of this block are never resumed
}

// ------------------------------------------------------------------------------------------------- scheduling

static char* take_stack() {
    if (free_count) return free_stacks[--free_count];
    char* memory = (char*)mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    mprotect(memory, PAGE, PROT_NONE);  // an overflow stops here
    // Tops at different distances from the page boundary, or all stacks would compete for the same lines of the cache.
    return all_stacks[stack_count++] = memory + STACK - stack_count % 16 * 192;
}
#if !defined(__x86_64__) && !defined(__aarch64__)
static char* stack_of(char* top) { return (char*)((uintptr_t)top / STACK * STACK + PAGE); }
#endif

// The thread to run next, or -1 if none can.
static int pick() {
    const int here = current / 32;
    const bool backward = order == 1, shuffle = shuffled();
    const int first = shuffle ? (int)draw(warp_count) : here;
    for (int i = 0; i < warp_count; ++i) {
        int w = backward ? first - i : first + i;
        if (w < 0) w += warp_count;
        if (w >= warp_count) w -= warp_count;
        const unsigned lanes = warps[w].runnable;
        if (!lanes) continue;
        if (backward) return w * 32 + 31 - __builtin_clz(lanes);
        const unsigned start = shuffle ? draw(32) : 0, later = lanes >> start << start;
        return w * 32 + __builtin_ctz(later ? later : lanes);
    }
    return -1;
}

static void start(int n) {
    Thread& t = threads[n];
    warps[n / 32].runnable &= ~(1u << n % 32);
    current = n;
    threadIdx = t.index;
    t.state = RUNNING;
}

static void resume(int n, void** save) {
    Thread& t = threads[n];
    if (t.state == UNSTARTED) {
        t.stack = take_stack();
        t.stack_pointer = prepare(t.stack);
    }
    start(n);
    standin_switch(save, t.stack_pointer);
}

static void stuck() {
    char text[1500];
    int length = 0, shown = 0;
    bool told[MAX_THREADS] = {};
    for (int n = 0; n < thread_count && shown < 6; ++n) {
        const Thread& a = threads[n];
        if (told[n]) continue;
        int count = 0;
        for (int m = n; m < thread_count; ++m) {
            const Thread& b = threads[m];
            const bool same = a.state == b.state && (a.state == DONE || a.line == b.line)
                && (a.state != IN_EXCHANGE || (a.kind == b.kind && a.mask == b.mask));
            if (same) { told[m] = true; ++count; }
        }
        length += snprintf(text + length, sizeof text - length, "%s%d of %d threads (the first is %d) ", shown++ ? "; " : "",
                           count, thread_count, n);
        if (a.state == DONE) length += snprintf(text + length, sizeof text - length, "have left the kernel");
        else if (a.state == AT_BARRIER)
            length += snprintf(text + length, sizeof text - length, "wait at __syncthreads in line %d", a.line);
        else length += snprintf(text + length, sizeof text - length, "wait in %s with mask 0x%08x in line %d", KINDS[a.kind],
                                a.mask, a.line);
    }
    fail("threads wait for others that never come: %s", text);
}

// The current thread waits: others run until it may go on.
static void wait() {
    const int self = current, next = pick();
    if (next < 0) stuck();
    if (next == self) { start(self); return; }
    resume(next, &threads[self].stack_pointer);
}

extern "C" void standin_worker() {
    for (;;) {
        kernel(arguments);
        Thread& done = threads[current];
        done.state = DONE;
        ++finished;
        const int next = pick();
        if (next < 0) {
            if (finished != thread_count) stuck();
            void* abandoned;
            standin_switch(&abandoned, main_stack_pointer);
        }
        if (threads[next].state == UNSTARTED) {
            threads[next].stack = done.stack;
            start(next);
        } else {
            free_stacks[free_count++] = done.stack;
            void* abandoned;
            resume(next, &abandoned);
        }
    }
}

// ------------------------------------------------------------------------------------------------- what kernels call

extern "C" int standin_barrier(int line, int predicate) {
    if (at_barrier && line != barrier_line)
        fail("threads of a block are at different barriers: __syncthreads in line %d and in line %d", barrier_line, line);
    Thread& me = threads[current];
    me.state = AT_BARRIER;
    me.line = barrier_line = line;
    barrier_votes += predicate;
    if (++at_barrier == thread_count) {
        for (int n = 0; n < thread_count; ++n) threads[n].state = READY;
        for (int w = 0; w < warp_count; ++w) warps[w].runnable = warps[w].exists;
        barrier_result = barrier_votes;
        at_barrier = barrier_votes = 0;
    }
    wait();
    return barrier_result;
}

static int source_lane(const Thread& t, int lane) {  // as PTX defines shfl.sync
    const int segment = 32 - t.width, low = lane & segment, high = low | (31 & ~segment), b = t.operand & 31;
    switch (t.kind) {
        case SHFL: return low | (b & ~segment);
        case UP: return lane - b >= low ? lane - b : lane;
        case DOWN: return lane + b <= high ? lane + b : lane;
        default: return (lane ^ b) <= high ? lane ^ b : lane;
    }
}

static void exchange(Thread* lanes, unsigned mask, int kind) {
    unsigned long long in[32] = {}, all = 0;
    bool first = true;
    for (int lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        const unsigned long long value = in[lane] = lanes[lane].value;
        if (kind == BALLOT) all |= value << lane;
        else if (kind == ADD) all = (unsigned)(all + value);
        else if (kind == BITXOR) all ^= value;
        else if (first) all = value;
        else if (kind == MIN) all = value < all ? value : all;
        else if (kind == MAX) all = value > all ? value : all;
        else if (kind == MIN_SIGNED) all = (int)value < (int)all ? value : all;
        else if (kind == MAX_SIGNED) all = (int)value > (int)all ? value : all;
        else if (kind == AND) all &= value;
        else if (kind == OR) all |= value;
        first = false;
    }
    for (int lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        Thread& t = lanes[lane];
        if (SHFL <= kind && kind <= XOR) {
            const int source = source_lane(t, lane);
            if (!(mask >> source & 1))
                fail("%s in line %d: lane %d reads lane %d, which is not in the mask 0x%08x", KINDS[kind], t.line, lane, source,
                     mask);
            t.value = in[source];
        } else if (kind == MATCH) {
            unsigned same = 0;
            for (int other = 0; other < 32; ++other) same |= (unsigned)((mask >> other & 1) && in[other] == in[lane]) << other;
            t.value = same;
        } else {
            t.value = all;
        }
    }
}

extern "C" unsigned long long standin_exchange(int kind, unsigned mask, unsigned long long value, int operand, int width,
                                               int line) {
    const int lane = current % 32;
    Thread& me = threads[current];
    Warp& warp = warps[current / 32];
    Thread* const lanes = &threads[current / 32 * 32];
    if (!(mask >> lane & 1)) fail("%s in line %d: lane %d is not in its own mask 0x%08x", KINDS[kind], line, lane, mask);
    if (mask & ~warp.exists)
        fail("%s in line %d: the mask 0x%08x names lanes that the last warp of %d threads does not have", KINDS[kind], line, mask,
             thread_count);
    if (width < 1 || width > 32 || (width & (width - 1)))
        fail("%s in line %d: width %d is not a power of two up to 32", KINDS[kind], line, width);
    me.state = IN_EXCHANGE;
    me.kind = kind, me.mask = mask, me.value = value, me.operand = operand, me.width = width, me.line = line;
    warp.exchanging |= 1u << lane;
    bool complete = (warp.exchanging & mask) == mask;
    for (int other = 0; complete && other < 32; ++other) {
        if (!(mask >> other & 1)) continue;
        const Thread& t = lanes[other];
        if (t.mask != mask) complete = false;  // it takes part in another exchange first
        else if (t.kind != kind || t.line != line)
            fail("lanes of a warp are in different functions under the mask 0x%08x: lane %d in %s in line %d, lane %d in %s in "
                 "line %d", mask, other, KINDS[t.kind], t.line, lane, KINDS[kind], line);
    }
    if (complete) {
        exchange(lanes, mask, kind);
        warp.exchanging &= ~mask;
        warp.runnable |= mask;
        for (int other = 0; other < 32; ++other)
            if (mask >> other & 1) lanes[other].state = READY;
    }
    wait();
    return me.value;
}

extern "C" unsigned standin_active_lanes() {
    unsigned active = 0;
    for (int lane = 0, first = current / 32 * 32; lane < 32 && first + lane < thread_count; ++lane)
        active |= (unsigned)(threads[first + lane].state != DONE) << lane;
    return active;
}

extern "C" void standin_trap(const char* what, int line) {
    fail("%s in line %d, thread %d of block (%u, %u, %u)", what, line, current, blockIdx.x, blockIdx.y, blockIdx.z);
}

extern "C" int standin_run(void (*thread)(void**), void** args, const unsigned* grid, const unsigned* block,
                           size_t dynamic_shared, char* shared, char* shared_end, unsigned long long chosen_order) {
    if (shared_end - shared > 48 << 10) {
        snprintf(standin_error, sizeof standin_error, "%td bytes of shared variables, where a GPU takes at most 49152; "
                 "larger ones must be extern __shared__", shared_end - shared);
        return -2;
    }
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    kernel = thread, arguments = args, order = chosen_order, failed = false;
    thread_count = (int)(block[0] * block[1] * block[2]);
    warp_count = (thread_count + 31) / 32;
    for (int n = 0; n < thread_count; ++n) threads[n].index = {n % block[0], n / block[0] % block[1], n / block[0] / block[1]};
    const unsigned long long blocks = (unsigned long long)grid[0] * grid[1] * grid[2];
    const unsigned long long offset = shuffled() ? draw(1u << 30) % blocks : 0;
    for (unsigned long long i = 0; i < blocks && !failed; ++i) {
        const unsigned long long b = order == 1 ? blocks - 1 - i : (i + offset) % blocks;
        blockIdx = {(unsigned)(b % grid[0]), (unsigned)(b / grid[0] % grid[1]), (unsigned)(b / grid[0] / grid[1])};
        for (int n = 0; n < thread_count; ++n) threads[n].state = UNSTARTED;
        for (int w = 0; w < warp_count; ++w) {
            const int lanes = thread_count - 32 * w;
            warps[w].exists = warps[w].runnable = lanes >= 32 ? ~0u : (1u << lanes) - 1;
            warps[w].exchanging = 0;
        }
        finished = at_barrier = barrier_votes = 0;
        free_count = 0;
        for (int s = 0; s < stack_count; ++s) free_stacks[free_count++] = all_stacks[stack_count - 1 - s];
        if (shared_end > shared) memset(shared, 0xff, shared_end - shared);  // a NaN in every format
        memset(standin_dynamic_shared, 0xff, dynamic_shared + GUARD);
        current = order == 1 ? thread_count - 1 : 0;
        resume(pick(), &main_stack_pointer);
        for (size_t s = 0; s < GUARD && !failed; ++s) {
            if (standin_dynamic_shared[dynamic_shared + s] == '\xff') continue;
            snprintf(standin_error, sizeof standin_error,
                     "block (%u, %u, %u) wrote behind its dynamic shared memory of %zu bytes", blockIdx.x, blockIdx.y,
                     blockIdx.z, dynamic_shared);
            failed = true;
        }
    }
    return failed ? -2 : 0;
}

// ------------------------------------------------------------------------------------------------- checks by the compiler

// -fsanitize=alignment,bounds,... calls these by name; the place is where it happened in the source.
struct Place { const char* file; uint32_t line, column; };
struct Described { uint16_t kind, info; char name[1]; };
struct Mismatch { Place place; const Described* type; unsigned char log_alignment, check; };
struct Bounds { Place place; const Described *array, *index; };
struct Overflow { Place place; const Described* type; };

extern "C" {
void __ubsan_handle_type_mismatch_v1_abort(Mismatch* m, uintptr_t address) {
    fail("misaligned address in line %u: %s at address ...%02x needs a multiple of %u; a GPU stops the program", m->place.line,
         m->type->name, (unsigned)(address & 255), 1u << m->log_alignment);
}
void __ubsan_handle_out_of_bounds_abort(Bounds* b, uintptr_t index) {
    fail("line %u: index %lld is out of range for %s", b->place.line, (long long)index, b->array->name);
}
void __ubsan_handle_divrem_overflow_abort(Overflow* o, uintptr_t, uintptr_t) {
    fail("line %u: an integer is divided by zero, or the result overflows", o->place.line);
}
}
