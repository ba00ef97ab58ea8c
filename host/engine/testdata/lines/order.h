/* The author's other file: its functions are inlined where optimisation is on. */
static inline int price(const int *cents, int pieces) {
  return *cents / pieces;
}
