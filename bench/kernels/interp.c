/* A stack machine that sums squares below a bound, over and over. */
enum { PUSH, LOAD, STORE, ADD, SUB, MUL, LESS, JZ, JMP, DUP, DROP, XOR, SHR, HALT };
static const int code[] = {
  PUSH, 0, STORE, 0, PUSH, 0, STORE, 1,               /* i = 0, sum = 0 */
  LOAD, 0, PUSH, 1000, LESS, JZ, 35,                  /* while i < 1000 */
  LOAD, 0, DUP, MUL, LOAD, 1, ADD, DUP, PUSH, 3, SHR, XOR, STORE, 1,
  LOAD, 0, PUSH, 1, JMP, 38,
  PUSH, 0, HALT,
  ADD, STORE, 0, JMP, 8,
};
static int vm(void) {
  int stack[16], vars[4] = {0}, sp = 0, pc = 0;
  for (;;) switch (code[pc++]) {
    case PUSH: stack[sp++] = code[pc++]; break;
    case LOAD: stack[sp++] = vars[code[pc++]]; break;
    case STORE: vars[code[pc++]] = stack[--sp]; break;
    case ADD: sp--; stack[sp - 1] += stack[sp]; break;
    case SUB: sp--; stack[sp - 1] -= stack[sp]; break;
    case MUL: sp--; stack[sp - 1] *= stack[sp]; break;
    case LESS: sp--; stack[sp - 1] = stack[sp - 1] < stack[sp]; break;
    case JZ: if (!stack[--sp]) pc = code[pc]; else pc++; break;
    case JMP: pc = code[pc]; break;
    case DUP: stack[sp] = stack[sp - 1]; sp++; break;
    case DROP: sp--; break;
    case XOR: sp--; stack[sp - 1] ^= stack[sp]; break;
    case SHR: sp--; stack[sp - 1] = (int)((unsigned)stack[sp - 1] >> stack[sp]); break;
    case HALT: return vars[1];
  }
}
int run(int n) { int sum = 0; for (int i = 0; i < n; i++) sum ^= vm() + i; return sum; }
