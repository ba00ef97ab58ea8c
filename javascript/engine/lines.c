// Where in its source a place of the script is. The packer writes the table (lines.go):
//
//	u32 sources, u32 blocks
//	sources × {u32 offset, u32 length}      names, offsets from the table's start
//	blocks × {u32 line, column, source, source line, source column, offset of the rest}
//	rest of a block: up to BLOCK - 1 entries of signed varints, each a difference to the entry before:
//	    line, column (absolute if the line differs), source, source line, source column
//
// Lines count from 1, columns from 1. A place belongs to the last entry that is not behind it.

#define SCRIPT "app:script"
#define PRELUDE "app:web"
enum { BLOCK = 64 };

struct place { int32_t line, column, source, source_line, source_column; };

static int32_t varint(const uint8_t **p) {
  uint32_t v = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t c = *(*p)++;
    v |= (uint32_t)(c & 0x7f) << shift;
    if (c < 0x80)
      return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
  }
}

static int behind(const struct place *p, int32_t line, int32_t column) {
  return p->line > line || (p->line == line && p->column > column);
}

static void block_start(const uint8_t *table, uint32_t i, struct place *p) {
  memcpy(p, table + 8 + 8 * u32_at(table) + 24 * i, sizeof *p);
}

// source_of finds a place's source, line and column. It reports whether there is one.
static int source_of(int32_t line, int32_t column, struct place *found) {
  const uint8_t *table = (const uint8_t *)(uintptr_t)agora_app.lines;
  uint32_t blocks = agora_app.lines_len ? u32_at(table + 4) : 0, low = 0, high = blocks;
  struct place p;
  while (low < high) {
    uint32_t mid = (low + high) / 2;
    block_start(table, mid, &p);
    if (behind(&p, line, column)) high = mid;
    else low = mid + 1;
  }
  if (!low)
    return 0;
  block_start(table, low - 1, &p);
  const uint8_t *rest = table + u32_at(table + 8 + 8 * u32_at(table) + 24 * (low - 1) + 20);
  const uint8_t *end = low < blocks ? table + u32_at(table + 8 + 8 * u32_at(table) + 24 * low + 20) : table + agora_app.lines_len;
  *found = p;
  for (int i = 1; i < BLOCK && rest < end; i++) {
    int32_t down = varint(&rest), right = varint(&rest);
    p.line += down;
    p.column = down ? right : p.column + right;
    p.source += varint(&rest);
    p.source_line += varint(&rest);
    p.source_column += varint(&rest);
    if (behind(&p, line, column))
      break;
    *found = p;
  }
  return found->line == line;
}

static void put_place(DynBuf *to, int32_t line, int32_t column) {
  const uint8_t *table = (const uint8_t *)(uintptr_t)agora_app.lines;
  struct place p;
  if (!source_of(line, column, &p)) {
    dbuf_printf(to, "app.js:%d:%d", (int)line, (int)column);
    return;
  }
  const uint8_t *name = table + 8 + 8 * p.source;
  dbuf_put(to, table + u32_at(name), u32_at(name + 4));
  dbuf_printf(to, ":%d:%d", (int)p.source_line, (int)p.source_column);
}

static const char *number(const char *s, int32_t *v) {
  for (*v = 0; *s >= '0' && *s <= '9' && *v < 100000000; s++)
    *v = *v * 10 + (*s - '0');
  return s;
}

// put_mapped appends a text in which places of the script are places of its source. Lines of a stack
// that are in the engine's own part are left out.
static void put_mapped(DynBuf *to, const char *s) {
  int ours = strstr(s, SCRIPT ":") != NULL; // else what there is has to do
  while (*s) {
    const char *end = strchr(s, '\n');
    size_t n = end ? (size_t)(end - s) + 1 : strlen(s);
    const char *at = memmem(s, n, SCRIPT ":", sizeof SCRIPT), *own = memmem(s, n, PRELUDE ":", sizeof PRELUDE);
    if (at) {
      int32_t line, column = 1;
      const char *rest = number(at + sizeof SCRIPT, &line);
      if (*rest == ':') rest = number(rest + 1, &column);
      dbuf_put(to, (const uint8_t *)s, at - s);
      put_place(to, line, column);
      dbuf_put(to, (const uint8_t *)rest, s + n - rest);
    } else if (!own || !ours)
      dbuf_put(to, (const uint8_t *)s, n);
    s += n;
  }
}

// put_first appends the first place of a stack that is the script's, in parentheses.
static void put_first(DynBuf *to, const char *stack) {
  const char *at = strstr(stack, SCRIPT ":");
  if (!at)
    return;
  int32_t line, column = 1;
  const char *rest = number(at + sizeof SCRIPT, &line);
  if (*rest == ':') number(rest + 1, &column);
  dbuf_putstr(to, " (");
  put_place(to, line, column);
  dbuf_putc(to, ')');
}
