// Memory of one request, which is thrown away as a whole: size classes with free lists over a bump
// pointer, and no coalescing. What a request dirties lies together, so that little is put back.

// The packer fills in app. It finds it by the exported address.
struct app {
  char magic[8];
  uint32_t script, script_len; // a module's source
  uint32_t lines, lines_len;   // from where in its source each place of the script is, see lines.c
  uint32_t caps;               // a bit for each capability that the manifest lists, see host.c
  uint32_t heap;               // where free memory begins
};
__attribute__((visibility("default"), used)) volatile struct app agora_app = {.magic = "AGORAJS2"};

enum {
  SMALL = 512,       // up to here classes are 16 bytes apart, behind it four to a doubling
  CLASSES = 32 + 4 * 22,
  LARGEST = 1 << 30,
  GROW = 16,         // pages at least
  HEADROOM = 1 << 20 // of the image: a request that takes less grows no memory
};

struct block { uint32_t size, class; }; // stands before what malloc returns
struct free_block { struct free_block *next; };

static struct free_block *free_lists[CLASSES];
static uintptr_t heap_next, heap_end;

static size_t class_of(size_t n, size_t *size) {
  if (n <= SMALL) {
    size_t class = n ? (n - 1) / 16 : 0;
    *size = (class + 1) * 16;
    return class;
  }
  int log = 31 - __builtin_clz((uint32_t)(n - 1)); // 2^log < n <= 2^(log+1)
  size_t step = (size_t)1 << (log - 2);
  *size = (n + step - 1) & ~(step - 1);
  return 32 + (size_t)(log - 9) * 4 + ((*size - ((size_t)1 << log)) >> (log - 2)) - 1;
}

static int grow_to(uintptr_t end) {
  size_t pages = (end - heap_end + 65535) >> 16, more = pages < GROW ? GROW : pages;
  if (__builtin_wasm_memory_grow(0, more) == (size_t)-1) {
    more = pages;
    if (__builtin_wasm_memory_grow(0, more) == (size_t)-1)
      return -1;
  }
  heap_end += more << 16;
  return 0;
}

static void *bump(size_t n) {
  if (!heap_next) {
    heap_next = agora_app.heap;
    heap_end = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
  }
  if (n > heap_end - heap_next && grow_to(heap_next + n) < 0)
    return 0;
  void *p = (void *)heap_next;
  heap_next += n;
  return p;
}

void *malloc(size_t n) {
  if (n > LARGEST)
    return 0;
  size_t size, class = class_of(n, &size);
  struct free_block *f = free_lists[class];
  if (f) {
    free_lists[class] = f->next;
    return f;
  }
  struct block *b = bump(sizeof *b + size);
  if (!b)
    return 0;
  b->size = size;
  b->class = class;
  return b + 1;
}

void free(void *p) {
  if (!p)
    return;
  struct free_block **list = &free_lists[((struct block *)p)[-1].class], *f = p;
  f->next = *list;
  *list = f;
}

size_t malloc_usable_size(void *p) { return p ? ((struct block *)p)[-1].size : 0; }

void *calloc(size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n))
    return 0;
  void *p = malloc(n);
  return p ? memset(p, 0, n) : 0;
}

void *realloc(void *p, size_t n) {
  if (!p)
    return malloc(n);
  size_t old = malloc_usable_size(p);
  if (n <= old)
    return p;
  void *fresh = malloc(n);
  if (!fresh)
    return 0;
  memcpy(fresh, p, old);
  free(p);
  return fresh;
}

// memory_settle forgets what was freed so far, which lies all over: what is allocated from now on lies
// together, from the next page on.
static void memory_settle(void) {
  memset(free_lists, 0, sizeof free_lists);
  heap_next = (heap_next + 4095) & ~(uintptr_t)4095;
}

// memory_reserve grows memory for what requests take: if there is none, they grow it themselves, or fail.
static void memory_reserve(void) {
  if (heap_end < heap_next + HEADROOM) grow_to(heap_next + HEADROOM);
}
