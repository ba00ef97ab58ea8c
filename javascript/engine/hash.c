// SHA-1, SHA-256, SHA-384 and SHA-512 (FIPS 180-4) and HMAC (FIPS 198-1) for crypto.subtle.
//
// engine.c includes this file: everything is static. No function allocates, and none branches or
// indexes on the bytes it is given, only on their number.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512 };

#define HASH_MAX_BLOCK 128
#define HASH_MAX_DIGEST 64

typedef struct {
  int alg;
  size_t block, digest, held; // sizes in bytes; held: how much of buf waits for its block to be full
  uint64_t length;            // bytes taken in
  union {
    uint32_t w32[8];
    uint64_t w64[8];
  } state;
  uint8_t buf[HASH_MAX_BLOCK];
} Hash;

static const uint64_t hash_k[80] = {
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
  0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
  0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
  0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
  0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
  0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
  0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
  0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
  0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
  0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
  0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
  0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
  0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static inline uint32_t hash_rol32(uint32_t x, int n) { return x << n | x >> (32 - n); }
static inline uint32_t hash_ror32(uint32_t x, int n) { return x >> n | x << (32 - n); }
static inline uint64_t hash_ror64(uint64_t x, int n) { return x >> n | x << (64 - n); }

static inline uint32_t hash_get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t hash_get64(const uint8_t *p) {
  return (uint64_t)hash_get32(p) << 32 | hash_get32(p + 4);
}
static inline void hash_put(uint8_t *p, uint64_t v, int bytes) {
  for (int i = bytes - 1; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v;
}

static void hash_sha1_block(uint32_t h[8], const uint8_t *p) {
  uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++) w[i] = hash_get32(p + 4 * i);
  for (int i = 16; i < 80; i++) w[i] = hash_rol32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f, k;
    if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
    else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
    else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
    else f = b ^ c ^ d, k = 0xca62c1d6;
    uint32_t t = hash_rol32(a, 5) + f + e + k + w[i];
    e = d, d = c, c = hash_rol32(b, 30), b = a, a = t;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

// The constants of SHA-256 are the upper halves of the first 64 of SHA-512's.
static void hash_sha256_block(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = hash_get32(p + 4 * i);
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = hash_ror32(w[i - 15], 7) ^ hash_ror32(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = hash_ror32(w[i - 2], 17) ^ hash_ror32(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(v, h, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t a = v[0], e = v[4];
    uint32_t t1 = v[7] + (hash_ror32(e, 6) ^ hash_ror32(e, 11) ^ hash_ror32(e, 25)) +
                  ((e & v[5]) ^ (~e & v[6])) + (uint32_t)(hash_k[i] >> 32) + w[i];
    uint32_t t2 = (hash_ror32(a, 2) ^ hash_ror32(a, 13) ^ hash_ror32(a, 22)) +
                  ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t1;
    v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

static void hash_sha512_block(uint64_t h[8], const uint8_t *p) {
  uint64_t w[80], v[8];
  for (int i = 0; i < 16; i++) w[i] = hash_get64(p + 8 * i);
  for (int i = 16; i < 80; i++) {
    uint64_t s0 = hash_ror64(w[i - 15], 1) ^ hash_ror64(w[i - 15], 8) ^ w[i - 15] >> 7;
    uint64_t s1 = hash_ror64(w[i - 2], 19) ^ hash_ror64(w[i - 2], 61) ^ w[i - 2] >> 6;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(v, h, sizeof v);
  for (int i = 0; i < 80; i++) {
    uint64_t a = v[0], e = v[4];
    uint64_t t1 = v[7] + (hash_ror64(e, 14) ^ hash_ror64(e, 18) ^ hash_ror64(e, 41)) +
                  ((e & v[5]) ^ (~e & v[6])) + hash_k[i] + w[i];
    uint64_t t2 = (hash_ror64(a, 28) ^ hash_ror64(a, 34) ^ hash_ror64(a, 39)) +
                  ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t1;
    v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

static int hash_begin(Hash *s, int alg) {
  static const uint32_t sha1[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  static const uint32_t sha256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  static const uint64_t sha384[8] = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
                                     0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};
  static const uint64_t sha512[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                     0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  s->alg = alg, s->held = 0, s->length = 0;
  switch (alg) {
  case HASH_SHA1: s->block = 64, s->digest = 20, memcpy(s->state.w32, sha1, sizeof sha1); return 1;
  case HASH_SHA256: s->block = 64, s->digest = 32, memcpy(s->state.w32, sha256, sizeof sha256); return 1;
  case HASH_SHA384: s->block = 128, s->digest = 48, memcpy(s->state.w64, sha384, sizeof sha384); return 1;
  case HASH_SHA512: s->block = 128, s->digest = 64, memcpy(s->state.w64, sha512, sizeof sha512); return 1;
  }
  return 0;
}

static void hash_block(Hash *s, const uint8_t *p) {
  if (s->alg == HASH_SHA1) hash_sha1_block(s->state.w32, p);
  else if (s->alg == HASH_SHA256) hash_sha256_block(s->state.w32, p);
  else hash_sha512_block(s->state.w64, p);
}

static void hash_add(Hash *s, const uint8_t *p, size_t n) {
  if (n == 0) return;
  s->length += n;
  if (s->held > 0) {
    size_t take = s->block - s->held < n ? s->block - s->held : n;
    memcpy(s->buf + s->held, p, take);
    s->held += take, p += take, n -= take;
    if (s->held < s->block) return;
    hash_block(s, s->buf);
    s->held = 0;
  }
  for (; n >= s->block; p += s->block, n -= s->block) hash_block(s, p);
  memcpy(s->buf, p, n);
  s->held = n;
}

static size_t hash_end(Hash *s, uint8_t *out) {
  size_t room = s->block / 8; // of the length in bits, at the end of the last block
  s->buf[s->held++] = 0x80;
  if (s->held > s->block - room) {
    memset(s->buf + s->held, 0, s->block - s->held);
    hash_block(s, s->buf);
    s->held = 0;
  }
  memset(s->buf + s->held, 0, s->block - s->held);
  hash_put(s->buf + s->block - 8, s->length << 3, 8);
  if (room == 16) hash_put(s->buf + s->block - 16, s->length >> 61, 8);
  hash_block(s, s->buf);
  for (size_t i = 0; i < s->digest; i += s->block / 16)
    if (s->block == 64) hash_put(out + i, s->state.w32[i / 4], 4);
    else hash_put(out + i, s->state.w64[i / 8], 8);
  return s->digest;
}

// agora_digest returns the number of bytes written, 0 for an unknown algorithm.
static size_t agora_digest(int alg, const uint8_t *p, size_t n, uint8_t out[HASH_MAX_DIGEST]) {
  Hash s;
  if (!hash_begin(&s, alg)) return 0;
  hash_add(&s, p, n);
  return hash_end(&s, out);
}

static size_t agora_hmac(int alg, const uint8_t *key, size_t key_n, const uint8_t *p, size_t n,
                         uint8_t out[HASH_MAX_DIGEST]) {
  Hash s;
  uint8_t pad[HASH_MAX_BLOCK] = {0}, inner[HASH_MAX_DIGEST];
  if (!hash_begin(&s, alg)) return 0;
  if (key_n > s.block) agora_digest(alg, key, key_n, pad);
  else if (key_n > 0) memcpy(pad, key, key_n);
  for (size_t i = 0; i < s.block; i++) pad[i] ^= 0x36;
  hash_add(&s, pad, s.block);
  hash_add(&s, p, n);
  size_t size = hash_end(&s, inner);
  for (size_t i = 0; i < s.block; i++) pad[i] ^= 0x36 ^ 0x5c;
  hash_begin(&s, alg);
  hash_add(&s, pad, s.block);
  hash_add(&s, inner, size);
  return hash_end(&s, out);
}

// agora_equal compares in a time that depends on the lengths alone.
static int agora_equal(const uint8_t *a, size_t an, const uint8_t *b, size_t bn) {
  if (an != bn) return 0;
  uint8_t different = 0;
  for (size_t i = 0; i < an; i++) different |= a[i] ^ b[i];
  return different == 0;
}
