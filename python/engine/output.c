// What an app prints, and what is told of its exceptions.
#include <stdio.h>

enum { LOG, CONFIG, SECRET, KV, BLOB, EVENTS, FETCH, LLM }; // bits of agora_app.caps, as the packer counts them
enum { INFO = 1, ERROR = 3, MAX_LINE = 8 << 10 };

__attribute__((import_module("app:log/v1"), import_name("write"))) int64_t log_write(const void *question, uint32_t n, void *answer, uint32_t room);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int32_t wasi_fd_write(int32_t fd, const void *vectors, int32_t n, void *written);

static int starting = 1; // the app's start-up runs

static void write_stderr(const char *s, size_t n) {
  struct { const void *p; uint32_t n; } vectors[2] = {{s, n}, {"\n", 1}};
  uint32_t written;
  wasi_fd_write(2, vectors, 2, &written);
}

// write_log writes one entry to the app's log, by the capability if it has it. During start-up it goes to
// standard error: a capability that is called then would make start-up something of each request.
static void write_log(int level, const char *s, size_t n) {
  static const char cut[] = " … (cut)";
  static char line[MAX_LINE + 1];
  uint8_t answer[8];
  size_t kept = n;
  if (n > MAX_LINE) {
    kept = MAX_LINE - sizeof cut + 1;
    while (kept && (s[kept] & 0xc0) == 0x80) kept--;
  }
  memcpy(line + 1, s, kept);
  if (kept < n) {
    memcpy(line + 1 + kept, cut, sizeof cut - 1);
    kept += sizeof cut - 1;
  }
  line[0] = level;
  if (starting || !(agora_app.caps >> LOG & 1) || log_write(line, kept + 1, answer, sizeof answer) < 0) write_stderr(line + 1, kept);
}

// printed is a line that is not ended yet.
static char printed[MAX_LINE];
static size_t printed_len;

static void flush_printed(void) {
  if (printed_len) write_log(INFO, printed, printed_len);
  printed_len = 0;
}

// print takes what one call of print() writes: an entry of the log, whatever lines it has.
static void print(const char *s) {
  size_t n = strlen(s);
  int ended = n && s[n - 1] == '\n';
  n -= ended;
  if (ended && !printed_len) {
    write_log(INFO, s, n);
    return;
  }
  if (n > sizeof printed - printed_len) flush_printed();
  if (n > sizeof printed) write_log(INFO, s, n);
  else memcpy(printed + printed_len, s, n), printed_len += n;
  if (ended) flush_printed();
}

// report tells the exception that was raised: what it is, then where, as Python does, the last call last. The
// engine's own frames are left out.
static void report(const char *before) {
  flush_printed();
  char *text = py_formatexc();
  if (!text) return;
  char *inner = NULL; // the last of a chain of exceptions is told
  for (char *at = text; (at = strstr(at, "Traceback (most recent call last):\n")); at++) inner = at;
  char *frames = inner ? strchr(inner, '\n') + 1 : text, *at = frames;
  size_t room = strlen(text) + strlen(before) + 2, n = 0;
  char *out = malloc(room), *where = malloc(room);
  size_t places = 0;
  while (!strncmp(at, "  File \"", 8)) { // two lines each: the place, and its text
    char *second = strchr(at, '\n'), *end = second ? strchr(second + 1, '\n') : NULL;
    if (!end) break;
    if (at[8] != '<') {
      where[places++] = '\n';
      memcpy(where + places, at, end - at);
      places += end - at;
    }
    at = end + 1;
  }
  for (const char *s = before; *s; s++) out[n++] = *s;
  size_t said = strlen(at);
  memcpy(out + n, at, said);
  n += said;
  while (n && (out[n - 1] == '\n' || out[n - 1] == ' ')) n--;
  if (n && out[n - 1] == ':') n--; // of an exception without a text
  char *all = malloc(n + places + 1);
  memcpy(all, out, n);
  memcpy(all + n, where, places);
  write_log(ERROR, all, n + places);
  free(all);
  free(where);
  free(out);
  free(text);
}

// tell_syntax_error writes what is wrong with a source for the packer: line, file and text, with tabs between.
static void tell_syntax_error(void) {
  char *text = py_formatexc(), *at = text ? strstr(text, "  File \"") : NULL;
  char *quote = at ? strstr(at + 8, "\", line ") : NULL, *said = text ? strrchr(text, '\n') : NULL;
  char line[1024];
  if (!quote || !said) {
    write_stderr("0\t\tthe file cannot be compiled", 29);
    return;
  }
  const char *what = strstr(said, ": ");
  int n = snprintf(line, sizeof line, "%d\t%.*s\t%.600s", atoi(quote + 8), (int)(quote - at - 8), at + 8, what ? what + 2 : said + 1);
  write_stderr(line, n < (int)sizeof line ? n : (int)sizeof line - 1);
  free(text);
}
