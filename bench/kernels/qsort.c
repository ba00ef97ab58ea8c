#define N 100000
static int v[N];
typedef int (*less)(int, int);
static int up(int a, int b) { return a < b; }
static int down(int a, int b) { return a > b; }
static void sort(int lo, int hi, less f) {
  while (lo < hi) {
    int p = v[(lo + hi) / 2], i = lo, j = hi;
    while (i <= j) {
      while (f(v[i], p)) i++;
      while (f(p, v[j])) j--;
      if (i <= j) { int t = v[i]; v[i++] = v[j]; v[j--] = t; }
    }
    if (j - lo < hi - i) { sort(lo, j, f); lo = i; } else { sort(i, hi, f); hi = j; }
  }
}
int run(int n) {
  unsigned s = 1;
  for (int r = 0; r < n; r++) {
    for (int i = 0; i < N; i++) s = s * 1664525u + 1013904223u, v[i] = (int)(s >> 8);
    volatile int which = r & 1;
    sort(0, N - 1, which ? up : down);
  }
  return v[N / 3];
}
