/* An app that fails in the way that the first byte of its path's second letter
   says. Each way is on a line of its own: TestLines finds the lines by their marks. */
#include "order.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define NOINLINE __attribute__((noinline))

static unsigned char frame[65536];
static volatile int zero;
static volatile unsigned far = 0x7fffff00;

static unsigned word(const unsigned char *p) { return p[0] | p[1] << 8 | p[2] << 16 | (unsigned)p[3] << 24; }

EXPORT("app_alloc") unsigned char *app_alloc(unsigned n) { return n <= sizeof frame ? frame : 0; }

NOINLINE static int divide(int n) {
  return n / zero; /* mark: divide */
}

NOINLINE static int order(const int *cents) {
  int sum = 1;
  for (int i = 0; i < 3; i++)
    sum += price(cents, zero); /* mark: inlined */
  return sum;
}

NOINLINE static int load(unsigned at) {
  return *(volatile int *)at; /* mark: load */
}

NOINLINE static void refuse(int why) {
  if (why)
    __builtin_trap(); /* mark: trap */
  zero = 1;
  divide(7);
}

NOINLINE static int spin(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    sum += zero;
    if (i == n - 1)
      sum += divide(n); /* mark: loop */
  }
  return sum;
}

typedef int (*operation)(int);
static volatile operation none;

EXPORT("app_handle_v1") unsigned long long app_handle(unsigned char *p, unsigned n) {
  static const int cents[] = {1299};
  const unsigned char *path = p + word(p + 24);
  switch (path[1]) {
  case 'd': return divide(1); /* mark: d */
  case 'o': return order(cents); /* mark: o */
  case 'l': return load(far); /* mark: l */
  case 'r': refuse(p != 0); break; /* mark: r */
  case 's': return spin(1000); /* mark: s */
  case 'i': return none(1); /* mark: i */
  }
  return 0;
}
