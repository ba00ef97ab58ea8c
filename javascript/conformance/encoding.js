// TextEncoder, TextDecoder, their streams, atob, btoa: https://encoding.spec.whatwg.org/, https://infra.spec.whatwg.org/#forgiving-base64
import { part, test, table, equal, ok, throws, rejects, hex, unhex, bytes } from './harness.js';
part('encoding');

const texts = [['', ''], ['a', '61'], ['é', 'c3a9'], ['€', 'e282ac'], ['😀', 'f09f9880'], ['\0', '00'], ['\u07ff\u0800\uffff', 'dfbfe0a080efbfbf'], ['\u{10ffff}', 'f48fbfbf'], ['\ufeffx', 'efbbbf78'],
  ['\ud800', 'efbfbd'], ['\udc00', 'efbfbd'], ['\ud800x', 'efbfbd78'], ['\udc00\ud800', 'efbfbdefbfbd'], ['x\ud83d', '78efbfbd']];
table('encode', texts, (text, want) => equal(hex(new TextEncoder().encode(text)), want));
test('encode of nothing', () => equal(hex(new TextEncoder().encode()), ''));
test('encode of undefined', () => equal(hex(new TextEncoder().encode(undefined)), ''));
test('encode of null', () => equal(hex(new TextEncoder().encode(null)), '6e756c6c'));
test('encode returns a Uint8Array', () => ok(new TextEncoder().encode('x') instanceof Uint8Array));
test('encoding of TextEncoder', () => equal(new TextEncoder('utf-16').encoding, 'utf-8'));
test('TextEncoder brand', () => throws(TypeError, () => TextEncoder.prototype.encode.call({}, 'x')));
table('encodeInto', [['abc', 2, 2, 2, '6162'], ['é', 1, 0, 0, '00'], ['aé', 2, 1, 1, '6100'], ['😀x', 5, 3, 5, 'f09f988078'], ['😀', 3, 0, 0, '000000'], ['\ud800x', 4, 2, 4, 'efbfbd78'], ['', 0, 0, 0, '']],
  (text, size, read, written, want) => { const into = new Uint8Array(size); equal([new TextEncoder().encodeInto(text, into), hex(into)], [{ read, written }, want]) });
test('encodeInto at an offset', () => { const into = new Uint8Array(6); new TextEncoder().encodeInto('ab', into.subarray(2, 4)); equal(hex(into), '000061620000') });
test('encodeInto needs a Uint8Array', () => throws(TypeError, () => new TextEncoder().encodeInto('x', new Uint16Array(2))));

const valid = texts.slice(0, 8);
table('decode', valid.map(([text, data]) => [data, text]), (data, want) => equal(new TextDecoder().decode(unhex(data)), want));
// Each maximal part of what could have been a character is one U+FFFD.
const broken = [['80', '\ufffd'], ['c0', '\ufffd'], ['c080', '\ufffd\ufffd'], ['c1bf', '\ufffd\ufffd'], ['c2', '\ufffd'], ['c241', '\ufffdA'], ['e2', '\ufffd'], ['e282', '\ufffd'], ['e28241', '\ufffdA'],
  ['e080af', '\ufffd\ufffd\ufffd'], ['eda080', '\ufffd\ufffd\ufffd'], ['edbfbf', '\ufffd\ufffd\ufffd'], ['f09f98', '\ufffd'], ['f09f9841', '\ufffdA'], ['f08080af', '\ufffd\ufffd\ufffd\ufffd'],
  ['f4908080', '\ufffd\ufffd\ufffd\ufffd'], ['f5808080', '\ufffd\ufffd\ufffd\ufffd'], ['ff', '\ufffd'], ['fe', '\ufffd'], ['41c3', 'A\ufffd'], ['f0e282ac', '\ufffd€'], ['e2c3a9', '\ufffdé']];
table('decode with errors', broken, (data, want) => equal(new TextDecoder().decode(unhex(data)), want));
table('fatal decode', broken, (data) => throws(TypeError, () => new TextDecoder('utf-8', { fatal: true }).decode(unhex(data))));
table('fatal decode of what is valid:', valid.map(([text, data]) => [data, text]), (data, want) => equal(new TextDecoder('utf-8', { fatal: true }).decode(unhex(data)), want));
test('decode of nothing', () => equal(new TextDecoder().decode(), ''));
test('the BOM is dropped', () => equal(new TextDecoder().decode(unhex('efbbbf78')), 'x'));
test('only the first BOM is dropped', () => equal(new TextDecoder().decode(unhex('efbbbfefbbbf')), '\ufeff'));
test('ignoreBOM keeps it', () => equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(unhex('efbbbf78')), '\ufeffx'));
test('decode of an ArrayBuffer, a view and a DataView', () => { const b = unhex('616263'); equal([new TextDecoder().decode(b.buffer), new TextDecoder().decode(b.subarray(1)), new TextDecoder().decode(new DataView(b.buffer, 2))], ['abc', 'bc', 'c']) });
test('decode of a string', () => throws(TypeError, () => new TextDecoder().decode('x')));
test('decode of null', () => throws(TypeError, () => new TextDecoder().decode(null)));

const labels = [['utf8', 'utf-8'], ['UTF-8', 'utf-8'], [' utf-8\n', 'utf-8'], ['unicode-1-1-utf-8', 'utf-8'], ['latin1', 'windows-1252'], ['ascii', 'windows-1252'], ['iso-8859-1', 'windows-1252'], ['windows-1252', 'windows-1252'],
  ['utf-16', 'utf-16le'], ['utf-16le', 'utf-16le'], ['ucs-2', 'utf-16le'], ['utf-16be', 'utf-16be'], ['windows-1251', 'windows-1251'], ['shift_jis', 'shift_jis'], ['gbk', 'gbk'], ['euc-kr', 'euc-kr'], ['iso-8859-15', 'iso-8859-15'], ['koi8-r', 'koi8-r']];
table('label', labels, (label, want) => equal(new TextDecoder(label).encoding, want));
table('no label', [['utf-7'], [''], ['\u00a0utf-8'], ['utf-8\0'], ['replacement']], (label) => throws(RangeError, () => new TextDecoder(label)));
test('the defaults of TextDecoder', () => { const d = new TextDecoder; equal([d.encoding, d.fatal, d.ignoreBOM], ['utf-8', false, false]) });
table('windows-1252', [['80', '€'], ['e9', 'é'], ['99', '™'], ['81', '\x81'], ['9f', 'Ÿ'], ['414243', 'ABC'], ['ff', 'ÿ']], (data, want) => equal(new TextDecoder('latin1').decode(unhex(data)), want));
table('utf-16le', [['6100', 'a'], ['3dd800de', '😀'], ['3dd8', '\ufffd'], ['00de', '\ufffd'], ['61', '\ufffd'], ['610062', 'a\ufffd'], ['fffe6100', 'a'], ['3dd86100', '\ufffda']], (data, want) => equal(new TextDecoder('utf-16le').decode(unhex(data)), want));
table('utf-16be', [['0061', 'a'], ['d83dde00', '😀'], ['feff0061', 'a']], (data, want) => equal(new TextDecoder('utf-16be').decode(unhex(data)), want));
test('fatal utf-16le', () => throws(TypeError, () => new TextDecoder('utf-16le', { fatal: true }).decode(unhex('3dd8'))));

// Whatever the cuts, a stream of chunks gives the text of the whole.
const whole = '61c3a9e282acf09f9880f09f98e28241edbfbff4908080c341efbbbf62';
table('stream in pieces of', [[1], [2], [3], [5], [7]], (size) => {
  const data = unhex(whole), d = new TextDecoder;
  let text = '';
  for (let i = 0; i < data.length; i += size) text += d.decode(data.subarray(i, i + size), { stream: true });
  equal(text + d.decode(), new TextDecoder().decode(data));
});
test('stream: a BOM in pieces', () => { const d = new TextDecoder; equal(d.decode(unhex('ef'), { stream: true }) + d.decode(unhex('bb'), { stream: true }) + d.decode(unhex('bf61'), { stream: true }) + d.decode(), 'a') });
test('stream: the end tells of what is unfinished', () => { const d = new TextDecoder; equal([d.decode(unhex('61e282'), { stream: true }), d.decode()], ['a', '\ufffd']) });
test('stream: fatal at the end', () => { const d = new TextDecoder('utf-8', { fatal: true }); d.decode(unhex('e282'), { stream: true }); throws(TypeError, () => d.decode()) });
test('stream: nothing is left over for the next', () => { const d = new TextDecoder; d.decode(unhex('e282'), { stream: true }); d.decode(); equal(d.decode(unhex('61')), 'a') });
table('stream: what cannot become a character is told at once', [['e080', '\ufffd\ufffd'], ['eda0', '\ufffd\ufffd'], ['f080', '\ufffd\ufffd'], ['f490', '\ufffd\ufffd'], ['f09f41', '\ufffdA'], ['c0', '\ufffd'], ['f5', '\ufffd'], ['e282', ''], ['f09f98', ''], ['c3', '']], (data, want) => equal(new TextDecoder().decode(unhex(data), { stream: true }), want));
test('a decoder drops the BOM of each text', () => { const d = new TextDecoder; equal([d.decode(unhex('efbbbf61')), d.decode(unhex('efbbbf62'))], ['a', 'b']) });
test('stream: after a fatal error a decoder begins anew', () => { const d = new TextDecoder('utf-8', { fatal: true }); d.decode(unhex('e2'), { stream: true }); throws(TypeError, () => d.decode(unhex('ff'), { stream: true })); equal(d.decode(unhex('61')), 'a') });
test('stream: utf-16le in single bytes', () => { const d = new TextDecoder('utf-16le'); let text = ''; for (const b of unhex('3dd800de6100')) text += d.decode(bytes(b), { stream: true }); equal(text + d.decode(), '😀a') });

const collect = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return all };
test('TextEncoderStream', async () => equal((await collect(ReadableStream.from(['é', '', 'x']).pipeThrough(new TextEncoderStream))).map(hex), ['c3a9', '78']));
test('TextEncoderStream joins halves of a pair', async () => equal((await collect(ReadableStream.from(['a\ud83d', '\ude00b', '\ud83d']).pipeThrough(new TextEncoderStream))).map(hex).join(''), '61f09f988062efbfbd'));
test('TextEncoderStream takes what can be a string', async () => equal((await collect(ReadableStream.from([1, null]).pipeThrough(new TextEncoderStream))).map(hex).join(''), '316e756c6c'));
test('TextDecoderStream', async () => equal((await collect(ReadableStream.from([unhex('61e2'), unhex('82'), unhex('ac')]).pipeThrough(new TextDecoderStream))).join(''), 'a€'));
test('TextDecoderStream at the end', async () => equal((await collect(ReadableStream.from([unhex('61e2')]).pipeThrough(new TextDecoderStream))).join(''), 'a\ufffd'));
test('TextDecoderStream, fatal', () => rejects(TypeError, collect(ReadableStream.from([unhex('ff')]).pipeThrough(new TextDecoderStream('utf-8', { fatal: true })))));
test('TextDecoderStream of strings', () => rejects(TypeError, collect(ReadableStream.from(['x']).pipeThrough(new TextDecoderStream))));
test('TextDecoderStream knows itself', () => { const d = new TextDecoderStream('latin1', { fatal: true, ignoreBOM: true }); equal([d.encoding, d.fatal, d.ignoreBOM, new TextEncoderStream().encoding], ['windows-1252', true, true, 'utf-8']) });

table('btoa', [['', ''], ['f', 'Zg=='], ['fo', 'Zm8='], ['foo', 'Zm9v'], ['\xff\xfe', '//4='], [undefined, 'dW5kZWZpbmVk'], [null, 'bnVsbA=='], [12, 'MTI=']], (text, want) => equal(btoa(text), want));
test('btoa of what is no latin1', () => throws('InvalidCharacterError', () => btoa('€')));
table('atob', [['', ''], ['Zg==', 'f'], ['Zg', 'f'], [' Z g = = ', 'f'], ['Zm8=', 'fo'], ['Zm9v', 'foo'], ['\tZm9v\n\f\r', 'foo'], ['//4=', '\xff\xfe'], ['Zh==', 'f']], (text, want) => equal(atob(text), want));
table('atob refuses', [['Z'], ['Zg='], ['Zg==='], ['=Zg='], ['Zm9v='], ['Z-8='], ['Z\u00a0g=='], ['Zm9vZ']], (text) => throws('InvalidCharacterError', () => atob(text)));
