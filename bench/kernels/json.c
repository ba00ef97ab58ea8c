/* Parses a document that it writes itself, and sums what it finds. */
static char text[1 << 16];
static int len;
static const char *at;
static void put(const char *s) { while (*s) text[len++] = *s++; }
static void write(void) {
  len = 0;
  put("[");
  for (int i = 0; i < 600; i++) {
    if (i) put(", ");
    put("{\"id\": "); text[len++] = '1' + i % 9; text[len++] = '0' + i % 10;
    put(", \"name\": \"item \\\"quoted\\\" number\", \"tags\": [true, false, null, -12, 3], \"price\": 12345}");
  }
  put("]");
  text[len] = 0;
}
static void space(void) { while (*at == ' ' || *at == '\n' || *at == '\t') at++; }
static int value(void) {
  int sum = 0;
  space();
  switch (*at) {
  case '{':
    at++;
    for (space(); *at != '}'; space()) { if (*at == ',') { at++; space(); } sum += value(); space(); if (*at == ':') at++; sum += value(); }
    at++;
    return sum;
  case '[':
    at++;
    for (space(); *at != ']'; space()) { if (*at == ',') at++; sum += value(); }
    at++;
    return sum;
  case '"':
    for (at++; *at != '"'; at++) { if (*at == '\\') at++; sum += *at; }
    at++;
    return sum;
  case 't': at += 4; return 1;
  case 'f': at += 5; return 0;
  case 'n': at += 4; return 2;
  }
  int sign = 1;
  if (*at == '-') { sign = -1; at++; }
  for (; *at >= '0' && *at <= '9'; at++) sum = sum * 10 + (*at - '0');
  return sign * sum;
}
int run(int n) {
  int sum = 0;
  write();
  for (int i = 0; i < n; i++) { at = text; sum ^= value() + i; }
  return sum;
}
