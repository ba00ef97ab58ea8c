#define N 1000000
static unsigned char composite[N];
int run(int n) {
  int count = 0;
  for (int r = 0; r < n; r++) {
    count = 0;
    for (int i = 0; i < N; i++) composite[i] = 0;
    for (int i = 2; i < N; i++) {
      if (composite[i]) continue;
      count++;
      for (int j = i + i; j < N; j += i) composite[j] = 1;
    }
  }
  return count;
}
