/* An Extism plug-in of the same work, with the same frames: what differs is how a
   frame comes in and goes out. Its memory is the kernel's, and not this module's,
   so that it is copied through calls of eight bytes, as every Extism PDK does. */
#include "transform.c"

typedef unsigned long long u64;
#define IMPORT(name) __attribute__((import_module("extism:host/env"), import_name(name)))
IMPORT("input_length") u64 input_length(void);
IMPORT("input_load_u64") u64 input_load_u64(u64 offset);
IMPORT("input_load_u8") unsigned input_load_u8(u64 offset);
IMPORT("alloc") u64 alloc(u64 size);
IMPORT("store_u64") void store_u64(u64 at, u64 v);
IMPORT("store_u8") void store_u8(u64 at, unsigned v);
IMPORT("output_set") void output_set(u64 at, u64 size);

static unsigned load(unsigned char *to, unsigned size) {
  u64 n = input_length(), i = 0;
  if (n > size) return 0;
  for (; i + 8 <= n; i += 8) *(u64 *)(to + i) = input_load_u64(i);
  for (; i < n; i++) to[i] = input_load_u8(i);
  return n;
}

static void store(const unsigned char *from, unsigned n) {
  u64 to = alloc(n), i = 0;
  for (; i + 8 <= n; i += 8) store_u64(to + i, *(const u64 *)(from + i));
  for (; i < n; i++) store_u8(to + i, from[i]);
  output_set(to, n);
}

/* A constant answer, as of the smallest native app. */
static const struct { unsigned head[8], field[4]; char text[50]; } constant = {
  {0x53524741, 32, 200, 1, 32, 16, 85, 13}, {48, 12, 60, 25},
  "Content-Type" "text/plain; charset=utf-8" "Hello, world!"
};

EXPORT("minimal") int minimal(void) {
  store((const unsigned char *)&constant, 98);
  return 0;
}

EXPORT("transform") int transform(void) {
  unsigned n = load(request, sizeof request);
  if (!n) return 1;
  store(frame, (unsigned)app_handle(request, n));
  return 0;
}
