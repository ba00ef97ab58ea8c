// The harness of the conformance parts: an app whose every request runs all tests of the part that its path names,
// and returns what passed and what failed, as JSON. The tests are written from the standards that each part names.

const parts = {};
let tests;
// part begins a part: the tests that follow are of it.
export const part = (name) => {
  tests = parts[name] = [];
};
export const test = (name, run) => { tests.push({ name, run }) };
// table makes a test of each row; the row's first column is its name.
export const table = (name, rows, run) => { rows.forEach((row, i) => test(`${name} ${show(row[0])} #${i + 1}`, () => run(...row))) };

export const show = (value) => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol' || typeof value === 'function') return String(value).slice(0, 60);
  if (Object.is(value, -0)) return '-0';
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${[...value]}`;
  if (value instanceof ArrayBuffer) return `ArrayBuffer ${[...new Uint8Array(value)]}`;
  try { return JSON.stringify(value) ?? String(value) } catch { return Object.prototype.toString.call(value) }
};
export const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) {
    return ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && a.constructor === b.constructor && a.length === b.length && [...a].every((v, i) => Object.is(v, b[i]));
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
};
const fail = (text) => { throw new Error(text) };

export const equal = (got, want, what = 'result') => { if (!same(got, want)) fail(`${what} is ${show(got)}, want ${show(want)}`) };
export const ok = (got, what = 'it') => { if (!got) fail(`${what} is ${show(got)}`) };
const checkError = (error, want) => {
  if (typeof want === 'string') equal(error?.name, want, 'name of the error');
  else if (typeof want === 'function') ok(error instanceof want, `${show(error)} instanceof ${want.name}`);
  else equal(error, want, 'what was thrown');
};
export const throws = (want, run) => {
  let result;
  try { result = run() } catch (error) { checkError(error, want); return }
  fail(`nothing was thrown, and ${show(result)} returned`);
};
export const rejects = async (want, promise) => {
  let result;
  try { result = await (typeof promise === 'function' ? promise() : promise) } catch (error) { checkError(error, want); return }
  fail(`it was not rejected, but fulfilled with ${show(result)}`);
};
// turns lets the job queue run for a while.
export const turns = async (n = 20) => { for (let i = 0; i < n; i++) await undefined };
export const pending = async (promise) => {
  let settled = false;
  promise.then(() => { settled = true }, () => { settled = true });
  await turns();
  return !settled;
};
export const bytes = (...values) => new Uint8Array(values);
export const utf8 = (text) => new TextEncoder().encode(text);
export const hex = (data) => [...new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
export const unhex = (text) => new Uint8Array((text.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));

const stuck = (ms) => {
  let id;
  const promise = new Promise((_, reject) => { id = setTimeout(() => reject(new Error('it does not end')), ms) });
  return { promise, stop: () => clearTimeout(id) };
};
export const partNames = () => Object.keys(parts).sort();
export const runPart = async (part) => {
  const failed = [], names = new Set;
  for (const { name, run } of parts[part]) {
    if (names.has(name)) failed.push({ name, error: 'two tests have this name' });
    names.add(name);
    const limit = stuck(300);
    try { await Promise.race([Promise.resolve().then(run), limit.promise]) } catch (error) { failed.push({ name, error: show(error) }) }
    limit.stop();
  }
  return { total: parts[part].length, failed };
};
