/* The launcher of compiled kernels: a built-in function that unpacks array arguments, and a pool of threads.

   The few functions of Python that are needed are declared here by hand. All belong to the stable ABI of CPython 3.11 and
   later, so neither Python's headers nor a build for each version is needed. */

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Python's stable ABI */

typedef struct _object PyObject;
typedef struct _frame_state PyThreadState;
typedef intptr_t Py_ssize_t;

typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;

typedef struct {
    const char *name;
    PyObject *(*function)(PyObject *self, PyObject *const *arguments, Py_ssize_t count);
    int flags;
    const char *doc;
} PyMethodDef;

enum { METH_FASTCALL = 0x80, PyBUF_SIMPLE = 0, PyBUF_WRITABLE = 0x1, PyBUF_STRIDES = 0x18 };

extern PyObject _Py_NoneStruct, PyTuple_Type, *PyExc_BufferError, *PyExc_TypeError, *PyExc_ValueError;
extern PyObject *PyCFunction_NewEx(PyMethodDef *, PyObject *self, PyObject *module);
extern int PyObject_GetBuffer(PyObject *, Py_buffer *, int flags);
extern int PyObject_CheckBuffer(PyObject *);
extern int PyObject_IsInstance(PyObject *, PyObject *type);
extern void PyBuffer_Release(Py_buffer *);
extern Py_ssize_t PyTuple_Size(PyObject *);
extern PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t); /* borrowed */
extern long long PyLong_AsLongLong(PyObject *);
extern int PyBytes_AsStringAndSize(PyObject *, char **, Py_ssize_t *);
extern double PyFloat_AsDouble(PyObject *);
extern void *PyMem_Malloc(size_t);
extern void PyMem_Free(void *);
extern int PyErr_ExceptionMatches(PyObject *);
extern PyObject *PyErr_Occurred(void), *PyErr_NoMemory(void), *PyErr_Format(PyObject *, const char *, ...);
extern PyThreadState *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(PyThreadState *);
extern void Py_IncRef(PyObject *);

/* Scratch memory: one block per thread, grown as needed, freed when the thread ends, or after the job if it is large */

enum { LINE = 64, KEPT = 1 << 22 }; /* bytes of a cache line, and of the widest vector; of the largest block that is kept */

static pthread_key_t scratch_key;

static char *scratch(int64_t bytes) {
    char *block = pthread_getspecific(scratch_key); /* one line that holds the size, then the memory */
    if (block == NULL || *(int64_t *)block < bytes) {
        void *larger;
        if ((uint64_t)bytes > SIZE_MAX / 2 || posix_memalign(&larger, LINE, (size_t)bytes + LINE) != 0) return NULL;
        *(int64_t *)larger = bytes;
        if (pthread_setspecific(scratch_key, larger) != 0) {
            free(larger);
            return NULL;
        }
        free(block);
        block = larger;
    }
    return block + LINE;
}

/* Whether this thread has a block too large to be kept. */
static int scratch_is_large(void) {
    char *block = pthread_getspecific(scratch_key);
    return block != NULL && *(int64_t *)block > KEPT;
}

static void free_scratch(void) {
    char *block = pthread_getspecific(scratch_key);
    if (pthread_setspecific(scratch_key, NULL) == 0) free(block);
}

/* A kernel and what it works on */

typedef void Kernel(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end);

enum { FEW = 32 };

/* Of an array whose elements, one to an item, lie in several: the items of a piece, and where item 0 would be if all lay there. */
typedef struct {
    int64_t begin, end;
    uintptr_t origin;
} Piece;

typedef struct {
    Kernel *kernel;
    char *const *p;
    const int64_t *n;
    const double *s;
    int64_t items, chunk, scratch;
    const Piece *pieces; /* in order; NULL: no array is in pieces */
    int64_t arrays, count, split; /* of all arrays, of the pieces, and which array is in pieces */
    uint64_t ticket; /* of its first chunk */
    uint64_t chunks;
    int processor; /* of the caller */
} Job;

/* Run the kernel on items of a job, but for those between pieces. */
static void run_items(const Job *job, char *memory, int64_t begin, int64_t end) {
    if (job->pieces == NULL) {
        job->kernel(job->p, job->n, job->s, memory, begin, end);
        return;
    }
    char *p[FEW];
    memcpy(p, job->p, (size_t)job->arrays * sizeof *p);
    int64_t first = 0, last = job->count; /* the first piece that ends after `begin` */
    while (first < last) {
        int64_t middle = (first + last) / 2;
        if (job->pieces[middle].end > begin) last = middle;
        else first = middle + 1;
    }
    for (const Piece *piece = job->pieces + first; piece < job->pieces + job->count && piece->begin < end; piece++) {
        p[job->split] = (char *)piece->origin;
        job->kernel(p, job->n, job->s, memory, piece->begin > begin ? piece->begin : begin, piece->end < end ? piece->end : end);
    }
}

/* The pool. Work is handed out by tickets, numbers of (job, chunk): whoever advances `next` from a ticket owns that chunk.
   A thread that wakes too late finds that `next` has moved on to another job, or that no chunk is left, and sleeps again. So
   the caller waits for the chunks that were taken, never for a thread to wake up. */

enum { CHUNK_BITS = 20, MOST_THREADS = 1024 };

static struct {
    pthread_mutex_t lock; /* guards job and waiting; the others are atomic, or the caller's */
    pthread_cond_t wake, finished;
    Job job;
    int threads; /* wanted, with the caller */
    int workers; /* started */
    int refused; /* the system would not start this many */
    int waiting; /* the caller sleeps until the job is finished */
    int busy;    /* a job is running */
    int64_t patience; /* nanoseconds for which a thread looks for work, or for the end of it, before it sleeps */
    int looking; /* workers that look for work now */
    uint64_t next __attribute__((aligned(LINE)));
    uint64_t done __attribute__((aligned(LINE))); /* finished chunks of the job */
} pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, .threads = 1, .refused = MOST_THREADS};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether a thread that looks for something may go on looking, after a short pause; `until` is 0 at first. Waking one that sleeps
   takes as long as many a kernel runs: in virtual machines, some 40 microseconds. */
static int patient(int64_t *until) {
    struct timespec time;
    for (int i = 0; i < 16; i++) pause_briefly();
    sched_yield(); /* to whoever else needs this processor */
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    if (*until == 0) *until = now + __atomic_load_n(&pool.patience, __ATOMIC_RELAXED);
    return now < *until;
}

/* Run chunks of a job until none is left; returns 1 if the last one to be finished was among them. */
static int work(const Job *job, char *memory) {
    uint64_t ticket = __atomic_load_n(&pool.next, __ATOMIC_RELAXED);
    while (ticket - job->ticket < job->chunks) { /* unsigned: false, too, once the ticket is of another job */
        if (!__atomic_compare_exchange_n(&pool.next, &ticket, ticket + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) continue;
        int64_t begin = (int64_t)(ticket - job->ticket) * job->chunk, end = begin + job->chunk;
        run_items(job, memory, begin, end < job->items ? end : job->items);
        if (__atomic_add_fetch(&pool.done, 1, __ATOMIC_ACQ_REL) == job->chunks) return 1;
        ticket = __atomic_load_n(&pool.next, __ATOMIC_RELAXED);
    }
    return 0;
}

/* Keep the calling thread off a processor. Linux likes to wake a thread on the processor of the thread that woke it, above all
   in virtual machines, where idle processors look taken. There, a worker waits while the caller works. */
#ifdef __linux__
typedef struct {
    int avoided; /* processor, counted from 1; 0: none */
    cpu_set_t allowed, chosen;
} Place;

static void keep_off(Place *place, int processor) {
    cpu_set_t now;
    if (processor < 0 || processor >= CPU_SETSIZE || processor + 1 == place->avoided) return;
    place->avoided = processor + 1;
    if (sched_getaffinity(0, sizeof now, &now) != 0) return;
    if (!CPU_EQUAL(&now, &place->chosen)) place->allowed = now; /* the user's choice, or a new one */
    place->chosen = place->allowed;
    CPU_CLR(processor, &place->chosen);
    if (CPU_COUNT(&place->chosen) == 0) place->chosen = place->allowed;
    sched_setaffinity(0, sizeof place->chosen, &place->chosen);
}

static int current_processor(void) { return sched_getcpu(); }
#else
typedef int Place;

static void keep_off(Place *place, int processor) { (void)place, (void)processor; }

static int current_processor(void) { return -1; }
#endif

static void look_for_work(uint64_t seen) {
    int64_t until = 0;
    __atomic_add_fetch(&pool.looking, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&pool.next, __ATOMIC_RELAXED) >> CHUNK_BITS == seen >> CHUNK_BITS && patient(&until)) continue;
    __atomic_sub_fetch(&pool.looking, 1, __ATOMIC_RELAXED);
}

static void *worker(void *number) {
    uint64_t seen = 0;
    Place place = {0};
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.job.ticket == seen || (intptr_t)number >= pool.threads) pthread_cond_wait(&pool.wake, &pool.lock);
        Job job = pool.job;
        seen = job.ticket;
        pthread_mutex_unlock(&pool.lock);
        keep_off(&place, job.processor);
        char *memory = scratch(job.scratch);
        int last = memory != NULL && work(&job, memory); /* without memory the others do it */
        pthread_mutex_lock(&pool.lock);
        if (last && pool.waiting) pthread_cond_signal(&pool.finished);
        pthread_mutex_unlock(&pool.lock);
        if (scratch_is_large()) free_scratch();
        if ((intptr_t)number < __atomic_load_n(&pool.threads, __ATOMIC_RELAXED)) look_for_work(seen);
        pthread_mutex_lock(&pool.lock);
    }
    return NULL;
}

static void start_workers(int wanted) {
    sigset_t all, before;
    pthread_attr_t detached;
    if (wanted > pool.refused) wanted = pool.refused;
    if (pool.workers >= wanted || pthread_attr_init(&detached) != 0) return;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are for Python's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.workers < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, &detached, worker, (void *)(intptr_t)(pool.workers + 1)) != 0) {
            pool.refused = pool.workers; /* not to be asked again at each launch */
            break;
        }
        pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

/* A forked child has none of the threads, and whoever held the lock is gone. */
static void after_fork(void) {
    pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    pool.wake = pool.finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    pool.workers = pool.waiting = pool.busy = pool.looking = 0;
    pool.job.chunks = 0; /* what another thread was running is not for new workers */
    pool.refused = MOST_THREADS;
}

/* Run a job, of which what has to do with chunks is set here, on that many threads. */
static void run_parallel(Job *job, char *memory, int64_t chunk, int threads) {
    start_workers(threads - 1);
    pthread_mutex_lock(&pool.lock);
    job->chunk = chunk;
    job->chunks = (uint64_t)((job->items - 1) / chunk + 1);
    job->ticket = ((pool.job.ticket >> CHUNK_BITS) + 1) << CHUNK_BITS;
    job->processor = current_processor();
    pool.job = *job;
    __atomic_store_n(&pool.done, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&pool.next, job->ticket, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&pool.lock);
    pthread_cond_broadcast(&pool.wake);
    if (work(job, memory)) return;
    int64_t until = 0;
    do {
        if (__atomic_load_n(&pool.done, __ATOMIC_ACQUIRE) == job->chunks) return;
    } while (patient(&until));
    pthread_mutex_lock(&pool.lock);
    pool.waiting = 1;
    while (__atomic_load_n(&pool.done, __ATOMIC_ACQUIRE) != job->chunks) pthread_cond_wait(&pool.finished, &pool.lock);
    pool.waiting = 0;
    pthread_mutex_unlock(&pool.lock);
}

/* Estimated nanoseconds, all measured: from which on ... */
static const int64_t RELEASE = 20000;  /* ... other Python threads may run meanwhile: taking the GIL again may mean waiting */
static const int64_t PARALLEL = 60000; /* ... more threads help that have to be woken */
static const int64_t AT_ONCE = 8000;   /* ... more threads help that look for work */
static const int64_t LEAST = 4000, MOST = 200000; /* of a chunk */

static int64_t chunk_size(int64_t items, int64_t cost, int64_t grain, int threads) {
    int64_t time = cost / (16 * (int64_t)threads); /* even shares, though threads may be late */
    time = time < LEAST ? LEAST : time > MOST ? MOST : time;
    int64_t grains = (items - 1) / grain + 1, each = (int64_t)((double)grains * (double)time / (double)cost);
    int64_t least = (grains >> CHUNK_BITS) + 1; /* a chunk's number has so many bits */
    return (each < least ? least : each) * grain;
}

static void execute(Job *job, char *memory, int64_t cost, int64_t grain) {
    int threads = __atomic_load_n(&pool.threads, __ATOMIC_RELAXED);
    if (cost >= AT_ONCE && threads > 1 && (cost >= PARALLEL || __atomic_load_n(&pool.looking, __ATOMIC_RELAXED) >= threads - 1)) {
        int64_t chunk = chunk_size(job->items, cost, grain, threads);
        /* One at a time: whoever comes while a job is running works alone. */
        if (chunk < job->items && !__atomic_exchange_n(&pool.busy, 1, __ATOMIC_ACQUIRE)) {
            run_parallel(job, memory, chunk, threads);
            __atomic_store_n(&pool.busy, 0, __ATOMIC_RELEASE);
            return;
        }
    }
    run_items(job, memory, 0, job->items);
}

/* launch(plan, *arrays, *scalars) */

enum { ADDRESS, ITEMS, COST, ARRAYS, OUTPUTS, SCALARS, SCRATCH, GRAIN, HEADER, MOST_ARGUMENTS = 1 << 20 };

/* The buffers of an argument in pieces: a tuple of arrays, and of ints for gaps. */
typedef struct {
    Py_buffer *views; /* with the pieces behind them; NULL: no argument is in pieces */
    Piece *pieces;
    int64_t count, split;
} Split;

static void release_pieces(Split *split) {
    if (split->views == NULL) return;
    while (split->count > 0) PyBuffer_Release(&split->views[--split->count]);
    PyMem_Free(split->views);
}

/* Take hold of the pieces of an argument. Returns -1 with an exception set; what was taken until then is in `split`. */
static int take_pieces(Split *split, PyObject *argument, int64_t number, int64_t items) {
    Py_ssize_t parts = PyTuple_Size(argument);
    int64_t at = 0;
    split->split = number;
    split->views = PyMem_Malloc(((size_t)parts + 1) * (sizeof *split->views + sizeof *split->pieces));
    if (split->views == NULL) return PyErr_NoMemory(), -1;
    split->pieces = (Piece *)(split->views + parts + 1);
    for (Py_ssize_t i = 0; i < parts; i++) {
        PyObject *part = PyTuple_GetItem(argument, i);
        int64_t length;
        if (PyObject_CheckBuffer(part)) {
            Py_buffer *view = &split->views[split->count];
            if (PyObject_GetBuffer(part, view, PyBUF_SIMPLE) != 0) return -1;
            length = view->len / view->itemsize;
            Piece piece = {at, at + length, (uintptr_t)view->buf - (uintptr_t)at * (uintptr_t)view->itemsize};
            split->pieces[split->count++] = piece;
        } else {
            length = PyLong_AsLongLong(part);
            if (length == -1 && PyErr_Occurred()) return -1;
        }
        if (length < 0 || length > items - at) {
            at = -1;
            break;
        }
        at += length;
    }
    if (at == items) return 0;
    PyErr_Format(PyExc_ValueError, "launch: the pieces of array %zd do not have one element for each of %zd items", (Py_ssize_t)number, (Py_ssize_t)items);
    return -1;
}

static PyObject *launch(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    Py_buffer few_views[FEW], *views = few_views;
    char *few_pointers[FEW], **p = few_pointers;
    double few_scalars[FEW], *s = few_scalars;
    char *bytes;
    Py_ssize_t size, taken = 0;
    Split split = {NULL};
    PyObject *result = NULL;

    if (count < 1) return PyErr_Format(PyExc_TypeError, "launch: got no arguments, expected a plan first");
    if (PyBytes_AsStringAndSize(arguments[0], &bytes, &size) != 0) return NULL;
    const int64_t *plan = (const int64_t *)bytes;
    if (size < HEADER * (Py_ssize_t)sizeof(int64_t) || size % sizeof(int64_t) != 0)
        return PyErr_Format(PyExc_ValueError, "launch: got a plan of %zd bytes, expected 8 integers of 8 bytes or more", size);
    int64_t arrays = plan[ARRAYS], outputs = plan[OUTPUTS], scalars = plan[SCALARS], bytes_needed = plan[SCRATCH];
    if (plan[ADDRESS] == 0 || plan[ITEMS] < 0 || plan[GRAIN] < 1 || bytes_needed < 0 || arrays < 0 || arrays > MOST_ARGUMENTS ||
        outputs < 0 || outputs > arrays || scalars < 0 || scalars > MOST_ARGUMENTS)
        return PyErr_Format(PyExc_ValueError, "launch: the plan is not valid: make it with gpugrad.compile.runtime.plan");
    if (count != 1 + arrays + scalars)
        return PyErr_Format(PyExc_TypeError, "launch: got %zd arguments, the plan expects itself, %zd arrays and %zd numbers",
                            count, (Py_ssize_t)arrays, (Py_ssize_t)scalars);
    if (arrays > FEW || scalars > FEW) {
        size_t places = (size_t)(arrays > scalars ? arrays : scalars);
        views = PyMem_Malloc(places * (sizeof *views + sizeof *p + sizeof *s));
        if (views == NULL) return PyErr_NoMemory();
        s = (double *)(views + places);
        p = (char **)(s + places);
    }

    for (; taken < arrays; taken++) {
        if (!PyObject_CheckBuffer(arguments[1 + taken]) && PyObject_IsInstance(arguments[1 + taken], &PyTuple_Type) == 1) {
            if (taken < outputs || arrays > FEW || split.views != NULL) {
                PyErr_Format(PyExc_TypeError, "launch: array %zd is in pieces, as one of %d that are only read may be", taken, FEW);
                goto release;
            }
            if (take_pieces(&split, arguments[1 + taken], taken, plan[ITEMS]) != 0) goto release;
            p[taken] = NULL;
            views[taken].obj = NULL; /* nothing to release */
            continue;
        }
        int flags = taken < outputs ? PyBUF_STRIDES | PyBUF_WRITABLE : PyBUF_STRIDES;
        if (PyObject_GetBuffer(arguments[1 + taken], &views[taken], flags) != 0) {
            if (taken < outputs && PyErr_ExceptionMatches(PyExc_ValueError)) /* NumPy's word for it */
                PyErr_Format(PyExc_BufferError, "launch: array %zd is written by the kernel, but is read-only", taken);
            goto release;
        }
        p[taken] = views[taken].buf;
    }
    for (int64_t i = 0; i < scalars; i++) {
        s[i] = PyFloat_AsDouble(arguments[1 + arrays + i]);
        if (s[i] == -1.0 && PyErr_Occurred()) goto release;
    }
    char *memory = scratch(bytes_needed);
    if (memory == NULL) {
        PyErr_NoMemory();
        goto release;
    }

    if (plan[ITEMS] > 0) {
        Job job = {(Kernel *)(intptr_t)plan[ADDRESS], p, plan + HEADER, s, plan[ITEMS], .scratch = bytes_needed,
                   .pieces = split.pieces, .arrays = arrays, .count = split.count, .split = split.split};
        PyThreadState *state = plan[COST] < RELEASE ? NULL : PyEval_SaveThread();
        execute(&job, memory, plan[COST], plan[GRAIN]);
        if (state != NULL) PyEval_RestoreThread(state);
    }
    if (scratch_is_large()) free_scratch();
    result = &_Py_NoneStruct;
    Py_IncRef(result);

release:
    release_pieces(&split);
    while (taken > 0) PyBuffer_Release(&views[--taken]);
    if (views != few_views) PyMem_Free(views);
    return result;
}

static PyMethodDef definition = {"launch", launch, METH_FASTCALL,
                                 "launch(plan, *arrays, *scalars)\n\nRun the compiled kernel of a plan on arrays."};

/* How many threads work on a large launch, the calling one included. */
void gpugrad_set_threads(int threads) {
    pthread_mutex_lock(&pool.lock);
    __atomic_store_n(&pool.threads, threads < MOST_THREADS ? threads : MOST_THREADS, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&pool.lock);
}

void gpugrad_set_patience(int64_t nanoseconds) { __atomic_store_n(&pool.patience, nanoseconds, __ATOMIC_RELAXED); }

static int prepared;

static void prepare(void) {
    prepared = pthread_key_create(&scratch_key, free) == 0 && pthread_atfork(NULL, NULL, after_fork) == 0;
}

/* The function `launch`, a new reference. */
PyObject *gpugrad_launcher(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    return prepared ? PyCFunction_NewEx(&definition, NULL, NULL) : PyErr_NoMemory();
}
