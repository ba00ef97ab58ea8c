/* An app of interface abi/v1: reads a JSON document from the request's body,
   checks it, and answers it without its white space, letters in strings in upper
   case, and with the sum of its numbers. */
#define EXPORT(name) __attribute__((export_name(name)))

static unsigned char request[16384];
static unsigned char frame[16384];
static const unsigned char *at, *end;
static unsigned char *out;
static long long sum;
static int bad;

static unsigned word(const unsigned char *p) { return *(const unsigned *)p; }
static void put32(int offset, unsigned v) { *(unsigned *)(frame + offset) = v; }

EXPORT("app_alloc") void *app_alloc(unsigned size) { return size <= sizeof request ? request : 0; }

static void space(void) { while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++; }

static void string(void) {
  *out++ = *at++;
  while (at < end && *at != '"') {
    if (*at == '\\') *out++ = *at++;
    unsigned char c = *at++;
    *out++ = c >= 'a' && c <= 'z' ? c - 32 : c;
  }
  if (at >= end) { bad = 1; return; }
  *out++ = *at++;
}

static void number(void) {
  long long n = 0;
  int negative = *at == '-';
  if (negative) *out++ = *at++;
  while (at < end && *at >= '0' && *at <= '9') { n = n * 10 + (*at - '0'); *out++ = *at++; }
  sum += negative ? -n : n;
}

static void word_of(const char *w) {
  for (; *w; w++) { if (at >= end || *at != *w) { bad = 1; return; } *out++ = *at++; }
}

static void value(int depth) {
  space();
  if (bad || at >= end || depth > 30) { bad = 1; return; }
  unsigned char open = *at, close = open == '{' ? '}' : ']';
  switch (open) {
  case '{': case '[':
    *out++ = *at++;
    space();
    while (at < end && *at != close && !bad) {
      if (open == '{') {
        space(); if (at >= end || *at != '"') { bad = 1; return; }
        string(); space();
        if (at >= end || *at != ':') { bad = 1; return; }
        *out++ = *at++;
      }
      value(depth + 1);
      space();
      if (at < end && *at == ',') { *out++ = *at++; space(); }
    }
    if (at >= end) { bad = 1; return; }
    *out++ = *at++;
    return;
  case '"': string(); return;
  case 't': word_of("true"); return;
  case 'f': word_of("false"); return;
  case 'n': word_of("null"); return;
  }
  if (*at == '-' || (*at >= '0' && *at <= '9')) { number(); return; }
  bad = 1;
}

static void text(const char *s) { while (*s) *out++ = *s++; }

EXPORT("app_handle_v1") unsigned long long app_handle(unsigned char *p, unsigned n) {
  static const char name[] = "Content-Type", type[] = "application/json";
  at = p + word(p + 56); end = at + word(p + 60);
  sum = 0; bad = 0;
  out = frame + 32;
  unsigned table = 32, texts = table + 16;
  put32(table, texts); put32(table + 4, 12); put32(table + 8, texts + 12); put32(table + 12, 16);
  out = frame + texts; text(name); text(type);
  unsigned body = out - frame;
  text("{\"data\":"); value(0); text(",\"sum\":");
  char digits[24]; int i = 0; unsigned long long m = sum < 0 ? -sum : sum;
  do { digits[i++] = '0' + m % 10; m /= 10; } while (m);
  if (sum < 0) *out++ = '-';
  while (i) *out++ = digits[--i];
  *out++ = '}';
  put32(0, 0x53524741); put32(4, 32); put32(8, bad ? 400 : 200); put32(12, 1); put32(16, table); put32(20, 16);
  put32(24, body); put32(28, out - frame - body);
  return (unsigned long long)(unsigned)frame << 32 | (unsigned)(out - frame);
}
