// crypto: random values, and of crypto.subtle (https://w3c.github.io/webcrypto/) the digests and HMAC. The engine
// computes them in C. Other algorithms are refused by name.

const hashes = { 'SHA-1': { block: 64, bits: 160 }, 'SHA-256': { block: 64, bits: 256 }, 'SHA-384': { block: 128, bits: 384 }, 'SHA-512': { block: 128, bits: 512 } };
const notThere = (what) => new DOMException(`${what} is not there: crypto.subtle has digest (SHA-1, SHA-256, SHA-384, SHA-512) and HMAC`, 'NotSupportedError');
const algorithmOf = (algorithm) => {
  const given = typeof algorithm === 'string' ? { name: algorithm } : dictionary(algorithm ?? {}, 'the algorithm');
  if (given.name === undefined) throw new TypeError('the algorithm has no name');
  return { given, name: String(given.name).toUpperCase() };
};
const hashOf = (algorithm) => {
  const { name } = algorithmOf(algorithm);
  if (!Object.hasOwn(hashes, name)) throw notThere(`the hash ${name}`);
  return name;
};
const hmacOf = (algorithm) => {
  const { given, name } = algorithmOf(algorithm);
  if (name !== 'HMAC') throw notThere(`the algorithm ${name}`);
  return given;
};
const octets = (data, what) => {
  if (!isBytes(data)) throw new TypeError(`${what} is neither a buffer nor a view of one`);
  return copyOf(data);
};

let keyOf, isKey;
class CryptoKey {
  #key;
  static {
    keyOf = (key) => key.#key;
    isKey = (value) => isObject(value) && #key in value;
  }
  constructor(token, key) { onlyInside(token); this.#key = key }
  get type() { this.#key; return 'secret' }
  get extractable() { return this.#key.extractable }
  get algorithm() { return this.#key.algorithm }
  get usages() { return this.#key.listed }
}
const makeKey = (bytes, hash, bits, extractable, usages) => {
  const list = [...usages].map(String);
  for (const usage of list) if (!['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'].includes(usage)) throw new TypeError(`${usage} is no use of a key`);
  for (const usage of list) if (usage !== 'sign' && usage !== 'verify') throw new DOMException(`an HMAC key is not for ${usage}`, 'SyntaxError');
  if (list.length === 0) throw new DOMException('a secret key needs a use: sign or verify', 'SyntaxError');
  const kept = ['sign', 'verify'].filter((usage) => list.includes(usage));
  return new CryptoKey(inside, {
    bytes, hash, extractable: !!extractable, usages: kept, listed: [...kept],
    algorithm: { name: 'HMAC', hash: { name: hash }, length: bits },
  });
};
const useKey = (algorithm, key, usage) => {
  hmacOf(algorithm);
  if (!isKey(key)) throw new TypeError('the key is no CryptoKey');
  const k = keyOf(key);
  if (!k.usages.includes(usage)) throw new DOMException(`the key is not for ${usage}: its usages say so`, 'InvalidAccessError');
  return k;
};
const base64url = {
  encode: (bytes) => { let text = ''; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '') },
  decode(text) {
    if (typeof text !== 'string' || /[^\w-]/.test(text) || text.length % 4 === 1) throw new DOMException('k of the JSON Web Key is no base64url', 'DataError');
    const raw = atob(text.replace(/-/g, '+').replace(/_/g, '/')), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  },
};
const { atob, btoa } = globalThis;
const jwkName = (hash) => 'HS' + hash.replace('SHA-', '');
const bytesOfJWK = (data, hash, extractable, usages) => {
  if (!isObject(data) || isBytes(data)) throw new TypeError('the JSON Web Key is not an object');
  const wrong = (why) => { throw new DOMException(`the JSON Web Key ${why}`, 'DataError') };
  if (data.kty !== 'oct') wrong('has a kty that is not "oct"');
  if (data.alg !== undefined && data.alg !== jwkName(hash)) wrong(`is for ${data.alg}, and not ${jwkName(hash)}`);
  if (data.use !== undefined && data.use !== 'sig') wrong('is not for signatures');
  if (data.key_ops !== undefined && [...usages].some((usage) => !data.key_ops.includes(usage))) wrong('does not allow every usage that was asked for');
  if (data.ext === false && extractable) wrong('may not be exported again');
  return base64url.decode(data.k);
};

class SubtleCrypto {
  constructor(token) { onlyInside(token) }
  async digest(algorithm, data) {
    needArguments(arguments.length, 2, 'digest');
    return exactBuffer(native.digest(hashOf(algorithm), octets(data, 'the data')));
  }
  async importKey(format, data, algorithm, extractable, usages) {
    needArguments(arguments.length, 5, 'importKey');
    const hmac = hmacOf(algorithm), hash = hashOf(hmac.hash);
    let bytes;
    if (format === 'raw' || format === 'raw-secret') bytes = octets(data, 'the key');
    else if (format === 'jwk') bytes = bytesOfJWK(data, hash, extractable, usages);
    else throw notThere(`the key format ${format}`);
    const bits = bytes.length * 8, asked = hmac.length === undefined ? bits : Number(hmac.length);
    if (bits === 0) throw new DOMException('the key is empty', 'DataError');
    if (!(asked <= bits && asked > bits - 8)) throw new DOMException('the length is not the length of the key', 'DataError');
    if (asked < bits) bytes[bytes.length - 1] &= 0xFF << bits - asked;
    return makeKey(bytes, hash, asked, extractable, usages);
  }
  async exportKey(format, key) {
    needArguments(arguments.length, 2, 'exportKey');
    if (!isKey(key)) throw new TypeError('the key is no CryptoKey');
    const k = keyOf(key);
    if (!k.extractable) throw new DOMException('the key was made not to be exported', 'InvalidAccessError');
    if (format === 'raw' || format === 'raw-secret') return copyOf(k.bytes).buffer;
    if (format === 'jwk') return { kty: 'oct', k: base64url.encode(k.bytes), alg: jwkName(k.hash), key_ops: [...k.usages], ext: true };
    throw notThere(`the key format ${format}`);
  }
  async generateKey(algorithm, extractable, usages) {
    needArguments(arguments.length, 3, 'generateKey');
    const hmac = hmacOf(algorithm), hash = hashOf(hmac.hash);
    const bits = hmac.length === undefined ? hashes[hash].block * 8 : Number(hmac.length);
    if (!(bits > 0 && bits <= 65536)) throw new DOMException('the length of the key is not between 1 and 65536 bits', 'OperationError');
    const bytes = native.random(new Uint8Array(Math.ceil(bits / 8)));
    if (bits % 8) bytes[bytes.length - 1] &= 0xFF << 8 - bits % 8;
    return makeKey(bytes, hash, bits, extractable, usages);
  }
  async sign(algorithm, key, data) {
    needArguments(arguments.length, 3, 'sign');
    const bytes = octets(data, 'the data'), k = useKey(algorithm, key, 'sign');
    return exactBuffer(native.hmac(k.hash, k.bytes, bytes));
  }
  async verify(algorithm, key, signature, data) {
    needArguments(arguments.length, 4, 'verify');
    const given = octets(signature, 'the signature'), bytes = octets(data, 'the data'), k = useKey(algorithm, key, 'verify');
    return native.equal(native.hmac(k.hash, k.bytes, bytes), given);
  }
  // Not in the standard yet, but in every server runtime: a comparison whose time tells nothing of the bytes.
  timingSafeEqual(a, b) {
    const left = octets(a, 'the first argument'), right = octets(b, 'the second argument');
    if (left.length !== right.length) throw new TypeError('the two have different lengths');
    return native.equal(left, right);
  }
}
for (const name of ['encrypt', 'decrypt', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'])
  defineProperty(SubtleCrypto.prototype, name, { value: { async [name]() { throw notThere(`crypto.subtle.${name}`) } }[name], writable: true, configurable: true });

const subtle = new SubtleCrypto(inside);
const intViews = new Set(['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'BigInt64Array', 'BigUint64Array']);
class Crypto {
  constructor(token) { onlyInside(token) }
  get subtle() { return subtle }
  getRandomValues(array) {
    needArguments(arguments.length, 1, 'getRandomValues');
    if (!ArrayBuffer.isView(array) || !intViews.has(viewTag(array))) throw isObject(array) && ArrayBuffer.isView(array)
      ? new DOMException('getRandomValues fills arrays of integers only', 'TypeMismatchError') : new TypeError('getRandomValues needs an array of integers');
    if (array.byteLength > 65536) throw new DOMException(`getRandomValues gives 65536 bytes at most, and was asked for ${array.byteLength}`, 'QuotaExceededError');
    native.random(view(array));
    return array;
  }
  randomUUID() {
    const bytes = native.random(new Uint8Array(16));
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    const text = hex(bytes);
    return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
  }
}
publish(CryptoKey, SubtleCrypto, Crypto);
define('crypto', new Crypto(inside));
