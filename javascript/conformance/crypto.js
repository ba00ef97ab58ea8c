// crypto, crypto.subtle (digest, HMAC): https://w3c.github.io/webcrypto/; vectors of FIPS 180-4, RFC 2202 and RFC 4231
import { part, test, table, equal, ok, throws, rejects, hex, unhex, utf8, bytes } from './harness.js';
part('crypto');

const digests = [
  ['SHA-1', '', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'], ['SHA-1', 'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['SHA-1', 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
  ['SHA-256', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'], ['SHA-256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['SHA-256', 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
  ['SHA-384', 'abc', 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7'],
  ['SHA-384', '', '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b'],
  ['SHA-512', 'abc', 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f'],
  ['SHA-512', '', 'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e'],
];
for (const [alg, text, want] of digests) test(`digest ${alg} of ${text.length} bytes`, async () => equal(hex(await crypto.subtle.digest(alg, utf8(text))), want));
const million = new Uint8Array(1_000_000).fill(97);
table('digest of a million letters', [['SHA-1', '34aa973cd4c4daa4f61eeb2bdbad27316534016f'], ['SHA-256', 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0']], async (alg, want) => equal(hex(await crypto.subtle.digest(alg, million)), want));
test('digest is an ArrayBuffer', async () => ok(await crypto.subtle.digest('SHA-256', bytes(1)) instanceof ArrayBuffer));
test('digest by an object, any case', async () => equal(hex(await crypto.subtle.digest({ name: 'sha-256' }, new DataView(utf8('xabc').buffer, 1))), digests[4][2]));
test('digest of an ArrayBuffer', async () => equal(hex(await crypto.subtle.digest('SHA-256', utf8('abc').buffer)), digests[4][2]));
test('digest takes its data at the call', async () => { const data = utf8('abc'), p = crypto.subtle.digest('SHA-256', data); data[0] = 0; equal(hex(await p), digests[4][2]) });
test('digest of an unknown name', () => rejects('NotSupportedError', crypto.subtle.digest('MD5', bytes())));
test('digest of a string', () => rejects(TypeError, crypto.subtle.digest('SHA-256', 'abc')));
test('digest without a name', () => rejects(TypeError, crypto.subtle.digest({}, bytes())));

// RFC 4231 and RFC 2202: key, data, algorithm, result.
const key131 = 'aa'.repeat(131), larger = '54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374';
const macs = [
  ['0b'.repeat(20), '4869205468657265', 'SHA-1', 'b617318655057264e28bc0b6fb378c8ef146be00'],
  ['4a656665', '7768617420646f2079612077616e7420666f72206e6f7468696e673f', 'SHA-1', 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
  ['0b'.repeat(20), '4869205468657265', 'SHA-256', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  ['4a656665', '7768617420646f2079612077616e7420666f72206e6f7468696e673f', 'SHA-256', '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
  ['4a656665', '7768617420646f2079612077616e7420666f72206e6f7468696e673f', 'SHA-384', 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649'],
  ['4a656665', '7768617420646f2079612077616e7420666f72206e6f7468696e673f', 'SHA-512', '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737'],
  [key131, larger, 'SHA-256', '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'],
  [key131, larger, 'SHA-512', '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598'],
];
const hmac = (hash) => ({ name: 'HMAC', hash });
const imported = (key, hash = 'SHA-256', uses = ['sign', 'verify'], extractable = true) => crypto.subtle.importKey('raw', key, hmac(hash), extractable, uses);
macs.forEach(([key, data, hash, want], i) => test(`HMAC ${hash} vector ${i}`, async () => {
  const k = await imported(unhex(key), hash);
  equal(hex(await crypto.subtle.sign('HMAC', k, unhex(data))), want);
  equal(await crypto.subtle.verify('HMAC', k, unhex(want), unhex(data)), true);
}));
table('verify refuses', [['another byte', (s) => { s[0] ^= 1; return s }], ['the last byte', (s) => { s[31] ^= 128; return s }], ['a shorter one', (s) => s.subarray(0, 31)], ['a longer one', (s) => Uint8Array.from([...s, 0])], ['an empty one', () => bytes()]],
  async (name, change) => { const k = await imported(utf8('key')), s = new Uint8Array(await crypto.subtle.sign('HMAC', k, utf8('x'))); equal(await crypto.subtle.verify('HMAC', k, change(s), utf8('x')), false) });
test('key', async () => { const k = await imported(bytes(1, 2), 'SHA-512', ['verify', 'sign'], false); equal([k.type, k.extractable, k.algorithm, k.usages], ['secret', false, { name: 'HMAC', hash: { name: 'SHA-512' }, length: 16 }, ['sign', 'verify']]); ok(k instanceof CryptoKey) });
test('key for one use', async () => { const s = await imported(bytes(1), 'SHA-1', ['sign']), v = await imported(bytes(1), 'SHA-1', ['verify']); await rejects('InvalidAccessError', crypto.subtle.verify('HMAC', s, bytes(), bytes())); await rejects('InvalidAccessError', crypto.subtle.sign('HMAC', v, bytes())) });
test('key without a use', () => rejects('SyntaxError', imported(bytes(1), 'SHA-1', [])));
test('key for another use', () => rejects('SyntaxError', imported(bytes(1), 'SHA-1', ['encrypt'])));
test('key for a use that is none', () => rejects(TypeError, imported(bytes(1), 'SHA-1', ['dance'])));
test('empty key', () => rejects('DataError', imported(bytes())));
test('key of a string', () => rejects(TypeError, imported('secret')));
test('a key copies its bytes', async () => { const b = bytes(1, 2), k = await imported(b); b[0] = 9; equal(hex(await crypto.subtle.exportKey('raw', k)), '0102') });
test('export of a key that is not for it', async () => rejects('InvalidAccessError', crypto.subtle.exportKey('raw', await imported(bytes(1), 'SHA-1', ['sign'], false))));
test('jwk there and back', async () => {
  const jwk = await crypto.subtle.exportKey('jwk', await imported(bytes(0xfb, 0xff, 1)));
  equal(jwk, { kty: 'oct', k: '-_8B', alg: 'HS256', key_ops: ['sign', 'verify'], ext: true });
  equal(hex(await crypto.subtle.exportKey('raw', await crypto.subtle.importKey('jwk', jwk, hmac('SHA-256'), true, ['sign']))), 'fbff01');
});
table('jwk refused', [['kty', { kty: 'RSA', k: 'AA' }], ['k', { kty: 'oct', k: '!' }], ['no k', { kty: 'oct' }], ['alg', { kty: 'oct', k: 'AA', alg: 'HS512' }], ['use', { kty: 'oct', k: 'AA', use: 'enc' }], ['key_ops', { kty: 'oct', k: 'AA', key_ops: ['verify'] }], ['ext', { kty: 'oct', k: 'AA', ext: false }]],
  (name, jwk) => rejects('DataError', crypto.subtle.importKey('jwk', jwk, hmac('SHA-256'), true, ['sign'])));
test('length of an imported key', async () => { const k = await crypto.subtle.importKey('raw', bytes(0xff, 0xff), { ...hmac('SHA-256'), length: 12 }, true, ['sign']); equal([k.algorithm.length, hex(await crypto.subtle.exportKey('raw', k))], [12, 'fff0']) });
test('a wrong length', () => rejects('DataError', crypto.subtle.importKey('raw', bytes(1, 2), { ...hmac('SHA-256'), length: 99 }, true, ['sign'])));
table('generateKey', [['SHA-1', 64], ['SHA-256', 64], ['SHA-384', 128], ['SHA-512', 128]], async (hash, size) => { const k = await crypto.subtle.generateKey(hmac(hash), true, ['sign', 'verify']), raw = await crypto.subtle.exportKey('raw', k); equal([raw.byteLength, k.algorithm.length], [size, size * 8]) });
test('generateKey with a length', async () => equal((await crypto.subtle.exportKey('raw', await crypto.subtle.generateKey({ ...hmac('SHA-1'), length: 256 }, true, ['sign']))).byteLength, 32));
test('two generated keys differ', async () => { const k = async () => hex(await crypto.subtle.exportKey('raw', await crypto.subtle.generateKey(hmac('SHA-1'), true, ['sign']))); ok(await k() !== await k()) });
test('sign with what is no key', () => rejects(TypeError, crypto.subtle.sign('HMAC', {}, bytes())));
table('not there', [['encrypt'], ['decrypt'], ['deriveBits'], ['deriveKey'], ['wrapKey'], ['unwrapKey']], (name) => rejects('NotSupportedError', crypto.subtle[name]({ name: 'AES-GCM' }, {}, bytes(), {}, {}, {}, {})));
test('importKey of AES', () => rejects('NotSupportedError', crypto.subtle.importKey('raw', bytes(1), 'AES-GCM', true, ['encrypt'])));

table('getRandomValues', [[Uint8Array], [Int8Array], [Uint8ClampedArray], [Uint16Array], [Int32Array], [Uint32Array], [BigInt64Array], [BigUint64Array]].map(([T]) => [T.name, T]), (name, T) => { const a = new T(32); ok(crypto.getRandomValues(a) === a); ok(new Set(a).size > 4) });
test('getRandomValues fills the view only', () => { const b = new Uint8Array(64); crypto.getRandomValues(b.subarray(16, 48)); ok(b.subarray(0, 16).every((x) => x === 0) && b.subarray(48).every((x) => x === 0) && new Set(b).size > 8) });
test('getRandomValues: at most 65536', () => { crypto.getRandomValues(new Uint8Array(65536)); throws('QuotaExceededError', () => crypto.getRandomValues(new Uint8Array(65537))) });
table('getRandomValues refuses', [['Float32Array', new Float32Array(1), 'TypeMismatchError'], ['Float64Array', new Float64Array(1), 'TypeMismatchError'], ['DataView', new DataView(new ArrayBuffer(1)), 'TypeMismatchError'], ['array', [1], TypeError]], (name, value, want) => throws(want, () => crypto.getRandomValues(value)));
test('randomUUID', () => { const seen = new Set; for (let i = 0; i < 50; i++) { const u = crypto.randomUUID(); ok(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(u), u); seen.add(u) } equal(seen.size, 50) });
test('Math.random', () => { const seen = new Set; for (let i = 0; i < 100; i++) { const r = Math.random(); ok(r >= 0 && r < 1); seen.add(r) } equal(seen.size, 100) });
