// console writes to the app's log: one entry for each call.

const typeName = (value) => {
  try {
    const { constructor } = value;
    return typeof constructor === 'function' && constructor !== Object ? constructor.name : '';
  } catch { return '' }
};
const mostItems = 100, mostDepth = 4;

const inspectList = (open, items, close, total) => {
  if (total > mostItems) items.push(`… ${total - mostItems} more`);
  return items.length ? `${open} ${items.join(', ')} ${close}` : open + close;
};
const inspectProperties = (value, depth, seen) => {
  const items = [], keys = Object.keys(value);
  for (const key of keys.slice(0, mostItems)) {
    const { get, value: own } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    items.push(`${/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? key : JSON.stringify(key)}: ${get ? '[Getter]' : inspect(own, depth + 1, seen)}`);
  }
  return [items, keys.length];
};
const inspectItems = (values, depth, seen) => {
  const items = [];
  for (const value of values) {
    if (items.length === mostItems) break;
    items.push(inspect(value, depth + 1, seen));
  }
  return items;
};
const inspectObject = (value, depth, seen) => {
  const name = typeName(value), before = name ? name + ' ' : '';
  if (Array.isArray(value)) return inspectList('[', inspectItems(value, depth, seen), ']', value.length);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return inspectList(`${name}(${value.length}) [`, inspectItems(value, depth, seen), ']', value.length);
  if (value instanceof Map) {
    const items = [];
    for (const [k, v] of value) if (items.length < mostItems) items.push(`${inspect(k, depth + 1, seen)} => ${inspect(v, depth + 1, seen)}`);
    return inspectList(`Map(${value.size}) {`, items, '}', value.size);
  }
  if (value instanceof Set) return inspectList(`Set(${value.size}) {`, inspectItems(value, depth, seen), '}', value.size);
  if (value instanceof Headers || value instanceof URLSearchParams) return before + inspect(Object.fromEntries(value), depth, seen);
  if (value instanceof URL) return `URL ${value.href}`;
  if (value instanceof Request) return `Request ${value.method} ${value.url}`;
  if (value instanceof Response) return `Response ${value.status}`;
  if (value instanceof Promise) return 'Promise { … }';
  const [items, total] = inspectProperties(value, depth, seen);
  return before + inspectList('{', items, '}', total);
};
const inspect = (value, depth, seen) => {
  switch (typeof value) {
    case 'string': return depth ? JSON.stringify(value) : value;
    case 'bigint': return `${value}n`;
    case 'function': return `[${/^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'Function'} ${value.name || '(anonymous)'}]`;
    case 'object': break;
    default: return Object.is(value, -0) ? '-0' : String(value);
  }
  if (value === null) return 'null';
  if (value instanceof Error) return native.stack(value);
  if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (seen.includes(value)) return '[Circular]';
  if (depth > mostDepth) return Array.isArray(value) ? '[Array]' : '[Object]';
  seen.push(value);
  const text = inspectObject(value, depth, seen);
  seen.pop();
  return text;
};
// show never throws: what cannot be shown is said to be so.
const show = (value, depth) => {
  try { return inspect(value, depth, []) } catch { return '[a value that cannot be shown]' }
};

const formatted = (args) => {
  let text = '', at = 0;
  if (typeof args[0] === 'string' && args[0].includes('%') && args.length > 1) {
    at = 1;
    text = args[0].replace(/%[sdifjoOc%]/g, (verb) => {
      if (verb === '%%') return '%';
      if (at === args.length) return verb;
      const value = args[at++];
      switch (verb) {
        case '%s': return show(value, 0);
        case '%d': return String(typeof value === 'bigint' ? value : Number(value));
        case '%i': return String(parseInt(value, 10));
        case '%f': return String(parseFloat(value));
        case '%c': return '';
        case '%j': try { return String(JSON.stringify(value)) } catch { return '[Circular]' }
        default: return show(value, 1);
      }
    });
  }
  for (; at < args.length; at++) text += (at ? ' ' : '') + show(args[at], 0);
  return text;
};

{
  let indent = '';
  const counts = new Map(), timers = new Map();
  const write = (level, text) => native.log(level, indent ? indent + text.replaceAll('\n', '\n' + indent) : text);
  const at = (level) => (...args) => write(level, formatted(args));
  const elapsed = (label) => `${label}: ${(native.now() - timers.get(label)).toFixed(3)} ms`;
  const group = (...args) => { if (args.length) write(1, formatted(args)); indent += '  ' };
  define('console', {
    debug: at(0), log: at(1), info: at(1), warn: at(2), error: at(3),
    trace: (...args) => write(0, `${formatted(args)}\n${native.stack(new Error('trace'))}`),
    dir: (value) => write(1, show(value, 1)), dirxml: at(1), table: at(1),
    assert: (holds, ...args) => { if (!holds) write(3, args.length ? `assertion failed: ${formatted(args)}` : 'assertion failed') },
    group, groupCollapsed: group, groupEnd: () => { indent = indent.slice(2) },
    count: (label = 'default') => { counts.set(label, (counts.get(label) ?? 0) + 1); write(1, `${label}: ${counts.get(label)}`) },
    countReset: (label = 'default') => { counts.delete(label) },
    time: (label = 'default') => { timers.set(label, native.now()) },
    timeLog: (label = 'default', ...args) => { if (timers.has(label)) write(1, args.length ? `${elapsed(label)} ${formatted(args)}` : elapsed(label)) },
    timeEnd: (label = 'default') => { if (timers.has(label)) { write(1, elapsed(label)); timers.delete(label) } },
    clear: () => { },
  });
}
