// structuredClone (https://html.spec.whatwg.org/#structured-cloning).

const cannotClone = (what) => new DOMException(`${what} cannot be cloned`, 'DataCloneError');
const notCloneable = [WeakMap, WeakSet, WeakRef, Promise, Event, EventTarget, AbortController, ReadableStream, WritableStream, TransformStream,
  ReadableStreamDefaultReader, WritableStreamDefaultWriter, TextEncoder, TextDecoder, FormData, CryptoKey, Crypto, SubtleCrypto,
  ...['Headers', 'Request', 'Response', 'URL', 'URLSearchParams'].map((name) => globalThis[name])];
const errorTypes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const valueOf = (Class) => uncurry(Class.prototype.valueOf);
const wrappers = [[Boolean, valueOf(Boolean)], [Number, valueOf(Number)], [String, valueOf(String)], [BigInt, valueOf(BigInt)]];
const timeOf = uncurry(Date.prototype.getTime);
const mapEach = uncurry(Map.prototype.forEach), setEach = uncurry(Set.prototype.forEach);

define('structuredClone', function structuredClone(value, options) {
  needArguments(arguments.length, 1, 'structuredClone');
  const { transfer: given } = dictionary(options, 'the options');
  const seen = new Map, moving = given === undefined ? [] : [...given];
  for (const buffer of moving)
    if (!(buffer instanceof ArrayBuffer) || detached(buffer)) throw cannotClone('what is to be transferred is no ArrayBuffer that still has its bytes: it');
  if (new Set(moving).size < moving.length) throw cannotClone('a buffer that is transferred twice');
  // Buffers are moved only after everything was copied: a failure leaves them as they were.
  for (const buffer of moving) seen.set(buffer, buffer.slice(0));
  const result = clone(value, seen);
  for (const buffer of moving) transfer(buffer);
  return result;
});

const clone = (value, seen) => {
  if (typeof value === 'symbol') throw cannotClone('a symbol');
  if (typeof value === 'function') throw cannotClone(`the function ${value.name || 'without a name'}`);
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const prototype = getPrototypeOf(value), list = Array.isArray(value);
  if (!list && prototype !== Object.prototype && prototype !== null) {
    const made = special(value, seen);
    if (made !== undefined) return made;
  }
  const result = list ? new Array(value.length) : {};
  seen.set(value, result);
  for (const key of Object.keys(value))
    defineProperty(result, key, { value: clone(value[key], seen), writable: true, configurable: true, enumerable: true });
  return result;
};
// special clones what is more than its properties; it returns undefined for other objects.
const special = (value, seen) => {
  const keep = (copy) => { seen.set(value, copy); return copy };
  if (value instanceof Date) return keep(new Date(timeOf(value)));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Map) {
    const copy = keep(new Map), entries = [];
    mapEach(value, (v, k) => entries.push([k, v]));
    for (const [k, v] of entries) copy.set(clone(k, seen), clone(v, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set), members = [];
    setEach(value, (v) => members.push(v));
    for (const v of members) copy.add(clone(v, seen));
    return copy;
  }
  if (isBuffer(value)) { if (detached(value)) throw cannotClone('a buffer that was transferred'); return keep(value.slice(0)) }
  if (ArrayBuffer.isView(value)) return keep(cloneView(value, seen));
  if (isBlob(value)) return keep(isFile(value)
    ? new File(inside, nameOfFile(value), { bytes: bytesOfBlob(value), type: typeOfBlob(value), lastModified: modifiedOfFile(value) })
    : new Blob(inside, { bytes: bytesOfBlob(value), type: typeOfBlob(value) }));
  if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  if (value instanceof Error) return cloneError(value, seen, keep);
  for (const [Class, get] of wrappers) if (value instanceof Class) return keep(Object(get(value)));
  for (const Class of notCloneable) if (value instanceof Class) throw cannotClone(`a ${Class.name}`);
};
const cloneView = (value, seen) => {
  const View = value instanceof DataView ? DataView : globalThis[viewTag(value)];
  return new View(clone(value.buffer, seen), value.byteOffset, value.length ?? value.byteLength);
};
const cloneError = (value, seen, keep) => {
  const copy = keep(new (Object.hasOwn(errorTypes, value.name) ? errorTypes[value.name] : Error));
  const own = (key, v) => defineProperty(copy, key, { value: v, writable: true, configurable: true, enumerable: false });
  for (const key of ['message', 'stack']) if (Object.hasOwn(value, key)) own(key, String(value[key]));
  if (Object.hasOwn(value, 'cause')) own('cause', clone(value.cause, seen));
  return copy;
};
