// Blob, File, FormData and how bodies carry them: https://w3c.github.io/FileAPI/, https://xhr.spec.whatwg.org/, RFC 7578
import { part, test, table, equal, ok, throws, rejects, bytes, utf8, hex } from './harness.js';
part('forms');

// ---- Blob
test('empty Blob', () => { const b = new Blob; equal([b.size, b.type], [0, '']) });
test('Blob of everything', async () => equal(await new Blob(['a', bytes(98), bytes(99).buffer, new DataView(bytes(100).buffer), new Blob(['e']), 1, null]).text(), 'abcde1null'));
test('Blob of part of a buffer', async () => equal(hex(await new Blob([bytes(1, 2, 3).subarray(1)]).arrayBuffer()), '0203'));
test('Blob copies', async () => { const b = bytes(1), blob = new Blob([b]); b[0] = 2; equal(await blob.bytes(), bytes(1)) });
test('Blob bytes are a copy', async () => { const blob = new Blob([bytes(1)]); (await blob.bytes())[0] = 9; equal(await blob.bytes(), bytes(1)) });
test('Blob takes any iterable', async () => equal(await new Blob(new Set(['x', 'y'])).text(), 'xy'));
table('Blob refuses', [['x'], [1], [null], [{}]], (parts) => throws(TypeError, () => new Blob(parts)));
test('Blob needs new', () => throws(TypeError, () => Blob()));
table('type of a Blob', [['text/plain', 'text/plain'], ['Text/HTML', 'text/html'], ['é', ''], ['a\u0000', ''], [null, 'null'], [undefined, '']], (type, want) => equal(new Blob([], { type }).type, want));
test('endings: native', async () => equal(await new Blob(['a\r\nb\rc\nd'], { endings: 'native' }).text(), 'a\nb\nc\nd'));
test('endings: transparent', async () => equal(await new Blob(['a\r\nb']).text(), 'a\r\nb'));
test('endings: other', () => throws(TypeError, () => new Blob([], { endings: 'x' })));
table('slice', [[[], 'abcdef'], [[1], 'bcdef'], [[1, 3], 'bc'], [[-2], 'ef'], [[-4, -2], 'cd'], [[3, 1], ''], [[0, 99], 'abcdef'], [[-99, 2], 'ab'], [[undefined, 2], 'ab'], [[1.9, 3.1], 'bc'], [[NaN, 1], 'a']],
  async (at, want) => equal(await new Blob(['abcdef']).slice(...at).text(), want));
test('slice has its own type', () => { const b = new Blob(['x'], { type: 'a/b' }); equal([b.slice().type, b.slice(0, 1, 'C/D').type], ['', 'c/d']) });
test('slice of a slice', async () => equal(await new Blob(['abcdef']).slice(1, 5).slice(1, 3).text(), 'cd'));
test('text decodes', async () => equal(await new Blob([bytes(0xc3, 0xa9, 0xff)]).text(), 'é\ufffd'));
test('stream of a Blob', async () => { const all = []; for await (const c of new Blob(['ab', 'c']).stream()) all.push(...c); equal(all, [97, 98, 99]) });
test('stream of an empty Blob', async () => equal(await new Blob().stream().getReader().read(), { value: undefined, done: true }));
test('Blob tag', () => equal(String(new Blob), '[object Blob]'));

// ---- File
test('File', async () => { const f = new File(['ab'], 'x.txt', { type: 'text/plain', lastModified: 7 }); equal([f.name, f.size, f.type, f.lastModified, await f.text()], ['x.txt', 2, 'text/plain', 7, 'ab']) });
test('File is a Blob', () => ok(new File([], 'x') instanceof Blob));
test('File: now is the default', () => ok(Math.abs(new File([], 'x').lastModified - Date.now()) < 1000));
test('File needs a name', () => throws(TypeError, () => new File([])));
test('File: slice is a Blob', () => { const s = new File(['x'], 'n').slice(); ok(s instanceof Blob && !(s instanceof File)) });

// ---- FormData
test('append, get, getAll, has, delete', () => {
  const f = new FormData;
  f.append('a', 1); f.append('b', 'x'); f.append('a', '2');
  equal([f.get('a'), f.getAll('a'), f.has('b'), f.has('c'), f.get('c'), f.getAll('c')], ['1', ['1', '2'], true, false, null, []]);
  f.delete('a');
  equal([...f.keys()], ['b']);
});
test('set keeps the place and drops the others', () => { const f = new FormData; f.append('a', 1); f.append('b', 2); f.append('a', 3); f.set('a', 4); f.set('c', 5); equal([...f], [['a', '4'], ['b', '2'], ['c', '5']]) });
test('a Blob becomes a File', () => { const f = new FormData; f.append('a', new Blob(['x'], { type: 't/x' })); const v = f.get('a'); ok(v instanceof File); equal([v.name, v.size, v.type], ['blob', 1, 't/x']) });
test('a Blob with a name', () => { const f = new FormData; f.set('a', new Blob(['x']), 'n.txt'); equal(f.get('a').name, 'n.txt') });
test('a File stays itself', () => { const f = new FormData, file = new File([], 'n'); f.append('a', file); ok(f.get('a') === file) });
test('a File with another name', () => { const f = new FormData; f.append('a', new File(['x'], 'n', { lastModified: 5 }), 'm'); equal([f.get('a').name, f.get('a').lastModified], ['m', 5]) });
test('a name for a string', () => throws(TypeError, () => new FormData().append('a', 'x', 'name')));
test('one argument', () => throws(TypeError, () => new FormData().append('a')));
test('null as a value', () => { const f = new FormData; f.append('a', null); f.append(null, undefined); equal([...f], [['a', 'null'], ['null', 'undefined']]) });
test('lone surrogates', () => { const f = new FormData; f.append('\ud800', '\udc00'); equal([...f], [['\ufffd', '\ufffd']]) });
test('an argument for the constructor', () => throws(TypeError, () => new FormData({})));
test('iteration is live', () => { const f = new FormData, seen = []; f.append('a', 1); for (const [k] of f) { seen.push(k); if (seen.length < 3) f.append('n' + seen.length, 1) } equal(seen, ['a', 'n1', 'n2']) });
test('forEach', () => { const f = new FormData, seen = []; f.append('a', 1); f.forEach(function (v, k, o) { seen.push(v, k, o === f, this.x) }, { x: 7 }); equal(seen, ['1', 'a', true, 7]) });
test('entries is the iterator', () => ok(FormData.prototype.entries === FormData.prototype[Symbol.iterator]));
test('values', () => { const f = new FormData; f.append('a', 1); equal([...f.values()], ['1']) });
test('iterator of a form', () => { const i = new FormData().keys(); equal(Object.prototype.toString.call(i), '[object FormData Iterator]'); ok(i[Symbol.iterator]() === i) });

// ---- There and back
const roundTrip = async (form) => new Response(form).formData();
test('multipart: content type', () => { const t = new Response(new FormData).headers.get('content-type'); ok(/^multipart\/form-data; boundary=\S{10,70}$/.test(t), t) });
test('multipart: two bodies, two boundaries', () => ok(new Response(new FormData).headers.get('content-type') !== new Response(new FormData).headers.get('content-type')));
test('multipart: empty form', async () => equal([...await roundTrip(new FormData)], []));
test('multipart: strings', async () => { const f = new FormData; f.append('a', 'x'); f.append('a', ''); f.append('é "q"', '€\0'); equal([...await roundTrip(f)], [['a', 'x'], ['a', ''], ['é "q"', '€\0']]) });
table('multipart: line ends of values', [['a\nb', 'a\r\nb'], ['a\rb', 'a\r\nb'], ['a\r\nb', 'a\r\nb'], ['\n\r', '\r\n\r\n'], ['\r\n--x\r\n\r\n', '\r\n--x\r\n\r\n']], async (value, want) => { const f = new FormData; f.append('a', value); equal((await roundTrip(f)).get('a'), want) });
table('multipart: names', [['a"b'], ['a\\b'], ['a;b=c'], ["it's"], ['%22'], [' '], ['é'], ['😀']], async (name) => {
  const f = new FormData; f.append(name, 'v'); f.append('f', new File(['x'], name));
  const back = await roundTrip(f), want = name === '%22' ? '"' : name;
  equal([[...back.keys()][0], back.get('f').name], [want, want]);
});
test('multipart: a file, binary safe', async () => {
  const all = Uint8Array.from({ length: 1024 }, (_, i) => i & 255), f = new FormData;
  f.append('f', new File([all, '\r\n--', all], 'x.bin', { type: 'application/x-thing' }));
  const file = (await roundTrip(f)).get('f');
  equal([file instanceof File, file.name, file.type, file.size], [true, 'x.bin', 'application/x-thing', 2052]);
  equal(await file.bytes(), Uint8Array.from([...all, 13, 10, 45, 45, ...all]));
});
test('multipart: an empty file', async () => { const f = new FormData; f.append('f', new File([], 'e')); const file = (await roundTrip(f)).get('f'); equal([file.size, file.name, file.type], [0, 'e', 'application/octet-stream']) });
test('multipart: text of the body', async () => {
  const f = new FormData; f.append('a\nb', 'x'); f.append('f', new File(['y'], 'n"', { type: 't/x' }));
  const r = new Response(f), boundary = r.headers.get('content-type').split('boundary=')[1];
  equal(await r.text(), `--${boundary}\r\nContent-Disposition: form-data; name="a%0D%0Ab"\r\n\r\nx\r\n--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="n%22"\r\nContent-Type: t/x\r\n\r\ny\r\n--${boundary}--\r\n`);
});

const parse = (text, type = 'multipart/form-data; boundary=B') => new Response(typeof text === 'string' ? utf8(text) : text, { headers: { 'content-type': type } }).formData();
const field = (head, value) => `--B\r\n${head}\r\n\r\n${value}\r\n--B--\r\n`;
const CD = 'Content-Disposition: form-data; ';
table('multipart read', [
  ['one', field(CD + 'name="a"', 'x'), [['a', 'x']]],
  ['header in small letters', field('content-disposition:form-data;name="a"', 'x'), [['a', 'x']]],
  ['name without quotes', field(CD + 'name=a', 'x'), [['a', 'x']]],
  ['escaped quotes', field(CD + 'name="a%22b"', 'x'), [['a"b', 'x']]],
  ['other headers', field(CD + 'name="a"\r\nX-Other: 1\r\nContent-Type: text/plain; charset=utf-8', 'x'), [['a', 'x']]],
  ['BOM', field(CD + 'name="a"', '\ufeffx'), [['a', 'x']]],
  ['empty value', field(CD + 'name="a"', ''), [['a', '']]],
  ['no line end after the last boundary', field(CD + 'name="a"', 'x').slice(0, -2), [['a', 'x']]],
  ['dashes in the value', field(CD + 'name="a"', 'x--B'), [['a', 'x--B']]],
  ['half a boundary', field(CD + 'name="a"', 'x\r\n--'), [['a', 'x\r\n--']]],
  ['no parts', '--B--\r\n', []],
], async (name, text, want) => equal([...await parse(text)], want));
table('multipart refused', [
  ['empty', ''], ['no boundary', 'x'], ['not ended', '--B\r\n' + CD + 'name="a"\r\n\r\nx'], ['ended by another', field(CD + 'name="a"', 'x').replaceAll('--B--', '--C--')],
  ['no disposition', field('Content-Type: text/plain', 'x')], ['no name', field(CD + 'filename="a"', 'x')], ['attachment', field('Content-Disposition: attachment; name="a"', 'x')],
  ['no empty line', '--B\r\n' + CD + 'name="a"\r\n--B--\r\n'], ['a header without a colon', field(CD + 'name="a"\r\nfoo', 'x')],
], (name, text) => rejects(TypeError, parse(text)));
test('multipart: boundary in quotes', async () => equal([...await parse(field(CD + 'name="a"', 'x'), 'multipart/form-data; boundary="B"')], [['a', 'x']]));
test('multipart: type in capitals', async () => equal([...await parse(field(CD + 'name="a"', 'x'), 'Multipart/Form-Data; Boundary=B')], [['a', 'x']]));
test('multipart without a boundary', () => rejects(TypeError, parse(field(CD + 'name="a"', 'x'), 'multipart/form-data')));
test('a file without a type is text/plain', async () => { const f = (await parse(field(CD + 'name="a"; filename="n"', 'x'))).get('a'); equal([f.type, f.name, await f.text()], ['text/plain', 'n', 'x']) });
test('bytes that are no UTF-8 in a file stay', async () => { const f = (await parse(Uint8Array.from([...utf8('--B\r\n' + CD + 'name="a"; filename="n"\r\n\r\n'), 0xff, 0, 0x80, ...utf8('\r\n--B--')]))).get('a'); equal(await f.bytes(), bytes(0xff, 0, 0x80)) });
test('too many parts', () => rejects(TypeError, parse(('--B\r\n' + CD + 'name=a\r\n\r\n\r\n').repeat(1_001) + '--B--')));

table('urlencoded read', [['a=1&b=2', [['a', '1'], ['b', '2']]], ['', []], ['a', [['a', '']]], ['a=%C3%A9+x', [['a', 'é x']]], ['a=%', [['a', '%']]], ['a=%FF', [['a', '\ufffd']]]],
  async (text, want) => equal([...await parse(text, 'application/x-www-form-urlencoded;charset=UTF-8')], want));
test('urlencoded from URLSearchParams', async () => equal([...await new Response(new URLSearchParams({ a: 'é&' })).formData()], [['a', 'é&']]));
test('formData of a request', async () => equal([...await new Request('https://x.test/', { method: 'POST', body: new URLSearchParams('a=1') }).formData()], [['a', '1']]));
test('formData of JSON', () => rejects(TypeError, parse('{}', 'application/json')));
test('formData without a type', () => rejects(TypeError, new Response(bytes(1)).formData()));
test('formData uses the body', async () => { const r = new Response(new URLSearchParams('a=1')); await r.formData(); equal(r.bodyUsed, true); await rejects(TypeError, r.formData()) });

// ---- Bodies
test('body of a Blob', async () => { const r = new Response(new Blob(['x'], { type: 'a/b' })); equal([r.headers.get('content-type'), await r.text()], ['a/b', 'x']) });
test('body of a Blob without a type', () => equal(new Response(new Blob(['x'])).headers.get('content-type'), null));
test('a type that is given wins', () => equal(new Response(new Blob(['x'], { type: 'a/b' }), { headers: { 'content-type': 'c/d' } }).headers.get('content-type'), 'c/d'));
test('blob()', async () => { const b = await new Response('é', { headers: { 'content-type': 'Text/X' } }).blob(); equal([b.size, b.type, await b.text()], [2, 'text/x', 'é']) });
test('blob() of nothing', async () => { const b = await new Response().blob(); equal([b.size, b.type], [0, '']) });
test('body is null without one', () => equal([new Response().body, new Request('https://x.test/').body], [null, null]));
test('body is a stream', async () => { const r = new Response('ab'), all = []; ok(r.body instanceof ReadableStream && r.body === r.body); for await (const c of r.body) all.push(...c); equal([all, r.bodyUsed], [[97, 98], true]); await rejects(TypeError, r.text()) });
test('asking for body does not use it', async () => { const r = new Response('ab'); r.body; equal([r.bodyUsed, await r.text()], [false, 'ab']) });
test('a locked body cannot be read', async () => { const r = new Response('ab'); r.body.getReader(); equal(r.bodyUsed, false); await rejects(TypeError, r.text()) });
test('body after text()', async () => { const r = new Response('ab'); await r.text(); ok(r.body instanceof ReadableStream); equal(r.bodyUsed, true) });
test('stream as a body', async () => equal(await new Response(ReadableStream.from([utf8('a'), utf8('b')])).text(), 'ab'));
test('stream as a body: json, bytes, blob, arrayBuffer', async () => {
  const r = () => new Response(ReadableStream.from([utf8('[1'), utf8(']')]));
  equal([await r().json(), await r().bytes(), await (await r().blob()).text(), hex(await r().arrayBuffer())], [[1], utf8('[1]'), '[1]', '5b315d']);
});
test('stream as a body: chunks are bytes', () => rejects(TypeError, new Response(ReadableStream.from(['a'])).text()));
test('stream as a body: its error', () => rejects(RangeError, new Response(new ReadableStream({ start(c) { c.error(new RangeError('x')) } })).text()));
test('stream as a body is used by reading', async () => { const r = new Response(ReadableStream.from([utf8('a')])); equal(r.bodyUsed, false); const p = r.text(); equal(r.bodyUsed, true); await p });
test('a stream that was read is no body', async () => { const s = ReadableStream.from([utf8('a')]), reader = s.getReader(); await reader.read(); reader.releaseLock(); throws(TypeError, () => new Response(s)) });
test('a locked stream is no body', () => { const s = ReadableStream.from([]); s.getReader(); throws(TypeError, () => new Response(s)) });
test('clone of a stream', async () => { const r = new Response(ReadableStream.from([utf8('a'), utf8('b')])), c = r.clone(); equal([await r.text(), await c.text()], ['ab', 'ab']) });
test('clone of a stream: each has chunks of its own', async () => {
  const r = new Response(ReadableStream.from([utf8('a')])), c = r.clone();
  const a = (await r.body.getReader().read()).value, b = (await c.body.getReader().read()).value;
  equal([a, b], [utf8('a'), utf8('a')]);
  ok(a.buffer !== b.buffer);
});
test('clone of a body that was asked for', async () => { const r = new Response('ab'); r.body; const c = r.clone(); equal([await c.text(), await r.text()], ['ab', 'ab']) });
test('clone of a used body', async () => { const r = new Response('ab'); await r.text(); throws(TypeError, () => r.clone()) });
test('pipe a body through', async () => equal(await new Response(new Response('ab').body.pipeThrough(new TransformStream({ transform(c, k) { k.enqueue(c.map((b) => b - 32)) } }))).text(), 'AB'));
test('a Response of another body', async () => equal(await new Response(new Response('ab').body).text(), 'ab'));
test('signal of a request', () => { const c = new AbortController, r = new Request('https://x.test/', { signal: c.signal }); ok(r.signal instanceof AbortSignal); equal(r.signal.aborted, false); c.abort('why'); equal([r.signal.aborted, r.signal.reason], [true, 'why']) });
test('signal of any request', () => { const r = new Request('https://x.test/'); ok(r.signal instanceof AbortSignal && r.signal === r.signal); equal(r.signal.aborted, false) });
test('signal follows into copies', () => { const c = new AbortController, r = new Request('https://x.test/', { signal: c.signal }), copies = [new Request(r), r.clone()]; c.abort(); equal(copies.map((x) => x.signal.aborted), [true, true]) });
test('signal that is none', () => throws(TypeError, () => new Request('https://x.test/', { signal: {} })));
test('signal null', () => equal(new Request('https://x.test/', { signal: null }).signal.aborted, false));
test('fetch with an aborted signal', () => rejects('AbortError', fetch('https://x.test/', { signal: AbortSignal.abort() })));
