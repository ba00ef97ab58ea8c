// The base of every file of the prelude. The files are joined, in the order of their names, into the body of one
// function with the parameter `native` (the functions of the engine's C side), and run once
// before the app. Nothing here stays reachable for an app except through the classes it publishes.

// Built-in functions are taken before the app can replace them, where a replaced one would break a promise of
// this file (and not only the app that replaced it).
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const then = uncurry(Promise.prototype.then);
const resolved = Promise.resolve.bind(Promise);
const rejected = Promise.reject.bind(Promise);
const pending = Promise.withResolvers.bind(Promise);
const toWellFormed = uncurry(String.prototype.toWellFormed);
const noop = () => { };
const { defineProperty, getPrototypeOf, setPrototypeOf } = Object;
const TypedArray = getPrototypeOf(Uint8Array);
const viewTag = uncurry(Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag).get);
const { queueMicrotask } = globalThis;

// handled marks a promise whose rejection is reported through another promise.
const handled = (promise) => { then(promise, noop, noop); return promise };

// The token that lets this file make objects whose constructors are closed to apps.
const inside = Symbol('inside');
const onlyInside = (token) => { if (token !== inside) throw new TypeError('Illegal constructor') };

const usv = (value) => {
  if (typeof value === 'symbol') throw new TypeError('a symbol is not a string');
  return toWellFormed(String(value));
};
const isObject = (value) => typeof value === 'object' && value !== null || typeof value === 'function';

// dictionary reads an options object as WebIDL does: undefined and null are an empty one.
const dictionary = (value, what) => {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new TypeError(`${what} is not an object`);
  return value;
};
const callback = (value, what) => {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`${what} is not a function`);
  return value;
};
const needArguments = (given, least, what) => {
  if (given < least) throw new TypeError(`${what} needs ${least} argument${least > 1 ? 's' : ''}, and has ${given}`);
};

// idl gives a class the look of a WebIDL interface: members that can be listed, and a name.
const idl = (Class, name = Class.name) => {
  for (const [object, skip] of [[Class.prototype, ['constructor']], [Class, ['length', 'name', 'prototype']]])
    for (const key of Object.getOwnPropertyNames(object))
      if (!skip.includes(key)) defineProperty(object, key, { enumerable: true });
  defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
  return Class;
};
const publish = (...classes) => { for (const Class of classes) define(Class.name, idl(Class)) };
const constants = (Class, values) => {
  for (const name of Object.keys(values))
    for (const object of [Class, Class.prototype]) defineProperty(object, name, { value: values[name], enumerable: true });
};

// ---- Bytes

const isBuffer = (value) => value instanceof ArrayBuffer || typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer;
const isBytes = (value) => isBuffer(value) || ArrayBuffer.isView(value);
// view returns the bytes of a buffer or view, not copied.
const view = (value) => ArrayBuffer.isView(value)
  ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
const copyOf = (value) => { const bytes = view(value), copy = new Uint8Array(bytes.length); copy.set(bytes); return copy };
const concat = (parts, total) => {
  if (total === undefined) { total = 0; for (const part of parts) total += part.byteLength }
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.byteLength }
  return all;
};
// exactBuffer returns an ArrayBuffer of just these bytes, without a copy where the view covers its whole buffer.
const exactBuffer = (bytes) => bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer
  : bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

const { DOMException } = globalThis;
const { now } = native;

// report tells of an exception that has no caller left to tell: a listener's, for example.
const report = (error) => { globalThis.console?.error('uncaught', error) };
if (typeof globalThis.reportError !== 'function') define('reportError', function reportError(error) { report(error) });
