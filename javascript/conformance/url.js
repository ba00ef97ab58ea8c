// URL and URLSearchParams: https://url.spec.whatwg.org/
import { part, test, table, equal, ok, throws } from './harness.js';
part('url');

const base = 'https://u:p@host.test:8443/a/b/c?q=1#f';
table('parse', [
  ['https://example.org', 'https://example.org/'], ['HTTPS://EXAMPLE.org/%7Efoo/', 'https://example.org/%7Efoo/'], ['https://example.org:443/', 'https://example.org/'],
  ['http://example.org:80/x', 'http://example.org/x'], ['http://example.org:8080/', 'http://example.org:8080/'], ['https://example.org:0443/', 'https://example.org/'], ['http://example.org:/', 'http://example.org/'],
  ['  https://example.org/ \n', 'https://example.org/'], ['ht\ntps://exa\tmple.org/a\r\nb', 'https://example.org/ab'], ['https:example.org', 'https://example.org/'], ['https:///example.org', 'https://example.org/'],
  ['https:\\\\example.org\\a\\b', 'https://example.org/a/b'], ['https://example.org/a\\b?c\\d#e\\f', 'https://example.org/a/b?c\\d#e\\f'],
  ['https://example.org/a/./b/../c', 'https://example.org/a/c'], ['https://example.org/a/%2e/b/%2E%2e/c', 'https://example.org/a/c'], ['https://example.org/..', 'https://example.org/'], ['https://example.org/a/..', 'https://example.org/'], ['https://example.org/a/.', 'https://example.org/a/'],
  ['https://example.org//a//b', 'https://example.org//a//b'], ['https://example.org/ä b', 'https://example.org/%C3%A4%20b'], ['https://example.org/"<>`{}^|', 'https://example.org/%22%3C%3E%60%7B%7D%5E|'], ["https://example.org/'", "https://example.org/'"],
  ['https://example.org/?a b"\'<>#', 'https://example.org/?a%20b%22%27%3C%3E#'], ['https://example.org/?`{}', 'https://example.org/?`{}'], ['https://example.org/#a b"<>`', 'https://example.org/#a%20b%22%3C%3E%60'], ['https://example.org/?ä#ü', 'https://example.org/?%C3%A4#%C3%BC'],
  ['https://example.org/%zz%', 'https://example.org/%zz%'], ['https://example.org/?%zz', 'https://example.org/?%zz'], ['https://example.org?x', 'https://example.org/?x'], ['https://example.org#x', 'https://example.org/#x'], ['https://example.org/?', 'https://example.org/?'], ['https://example.org/#', 'https://example.org/#'],
  ['https://u@example.org/', 'https://u@example.org/'], ['https://u:@example.org/', 'https://u@example.org/'], ['https://:p@example.org/', 'https://:p@example.org/'], ['https://u:p@example.org/', 'https://u:p@example.org/'], ['https://a@b@example.org/', 'https://a%40b@example.org/'], ['https://u:p:q@example.org/', 'https://u:p%3Aq@example.org/'], ['https://@example.org/', 'https://example.org/'],
  ['https://%65xample.org/', 'https://example.org/'], ['https://exa%C2%ADmple.org/', 'https://example.org/'], ['https://EXÄMPLE.org/', 'https://xn--exmple-cua.org/'], ['https://faß.de/', 'https://xn--fa-hia.de/'], ['https://☕.example/', 'https://xn--53h.example/'], ['https://日本語。jp/', 'https://xn--wgv71a119e.jp/'], ['https://xn--exmple-cua.org/', 'https://xn--exmple-cua.org/'], ['https://ｅｘａｍｐｌｅ.org/', 'https://example.org/'],
  ['https://127.0.0.1/', 'https://127.0.0.1/'], ['https://0x7f.1/', 'https://127.0.0.1/'], ['https://2130706433/', 'https://127.0.0.1/'], ['https://017700000001/', 'https://127.0.0.1/'], ['https://127.1/', 'https://127.0.0.1/'], ['https://1.2.3/', 'https://1.2.0.3/'], ['https://127.0.0.1./', 'https://127.0.0.1/'], ['https://0/', 'https://0.0.0.0/'], ['https://a.1.b/', 'https://a.1.b/'],
  ['https://[::1]/', 'https://[::1]/'], ['https://[2001:DB8:0:0:0:0:0:1]/', 'https://[2001:db8::1]/'], ['https://[1:0:0:2:0:0:0:3]/', 'https://[1:0:0:2::3]/'], ['https://[::127.0.0.1]/', 'https://[::7f00:1]/'], ['https://[0:0:0:0:0:0:0:0]/', 'https://[::]/'], ['https://[1::]:8080/', 'https://[1::]:8080/'], ['https://[1:2:0:4:5:6:7:8]/', 'https://[1:2:0:4:5:6:7:8]/'],
  ['mailto:a@b.c', 'mailto:a@b.c'], ['data:text/plain,a b#c', 'data:text/plain,a b#c'], ['javascript:alert(1)', 'javascript:alert(1)'], ['urn:x:y', 'urn:x:y'], ['foo:/a/../b', 'foo:/b'], ['foo://Host/a', 'foo://Host/a'], ['foo://h:80/', 'foo://h:80/'], ['foo:///a', 'foo:///a'], ['foo://', 'foo://'], ['blob:https://example.org/x', 'blob:https://example.org/x'], ['web+x:/.//p', 'web+x:/.//p'], ['foo:/.//', 'foo:/.//'],
  ['file:///etc/passwd', 'file:///etc/passwd'], ['file:/a', 'file:///a'], ['file://localhost/a', 'file:///a'], ['file:///C:/a/../..', 'file:///C:/'], ['file:///C|/a', 'file:///C:/a'], ['file://host/a', 'file://host/a'], ['ws://a.b:80/', 'ws://a.b/'], ['wss://a.b:443', 'wss://a.b/'], ['ftp://a.b:21/x', 'ftp://a.b/x'],
], (input, want) => equal(new URL(input).href, want));
table('resolve', [
  ['d', '/a/b/d'], ['/d', '/d'], ['./d', '/a/b/d'], ['../d', '/a/d'], ['../../../d', '/d'], ['.', '/a/b/'], ['..', '/a/'], ['', '/a/b/c?q=1'], ['?x', '/a/b/c?x'], ['#x', '/a/b/c?q=1#x'], ['d?x#y', '/a/b/d?x#y'], ['d/', '/a/b/d/'], ['d/../e', '/a/b/e'], ['%2e%2e/d', '/a/d'], ['d%2f..', '/a/b/d%2f..'], ['a:b'.slice(1), '/a/b/:b'],
  ['https:d', '/a/b/d'], ['\\d', '/d'], ['d\\e', '/a/b/d/e'], ['?', '/a/b/c?'], ['#', '/a/b/c?q=1#'],
], (input, want) => equal(new URL(input, base).href, 'https://u:p@host.test:8443' + want));
table('resolve elsewhere', [['//other.test/x', 'https://other.test/x'], ['\\\\other.test/x', 'https://other.test/x'], ['http:d', 'http://d/'], ['mailto:x', 'mailto:x'], ['http://x.test', 'http://x.test/'], ['//', null], ['///x', 'https://x/']],
  (input, want) => want === null ? throws(TypeError, () => new URL(input, base)) : equal(new URL(input, base).href, want));
table('base', [['x', 'mailto:a', null], ['#x', 'mailto:a', 'mailto:a#x'], ['x', 'foo:/a/b', 'foo:/a/x'], ['x', 'foo://h/a/b', 'foo://h/a/x'], ['//y', 'foo://h/a', 'foo://y'], ['x', 'file:///a/b', 'file:///a/x'], ['/x', 'file://h/a', 'file://h/x'], ['x', 'data:,', null], ['?x', 'foo:a', null]],
  (input, from, want) => want === null ? throws(TypeError, () => new URL(input, from)) : equal(new URL(input, from).href, want));
table('refused', [[''], ['/x'], ['x'], ['//x'], ['https://'], ['https:'], ['https://a b/'], ['https://a<b/'], ['https://a>b/'], ['https://a^b/'], ['https://a|b/'], ['https://a%b/'], ['https://%00/'], ['https://a:65536/'], ['https://a:x/'], ['https://a:-1/'], ['https://[::1/'], ['https://[:::1]/'], ['https://[1:2]/'], ['https://[1:2:3:4:5:6:7:8:9]/'], ['https://[::g]/'], ['https://[::1.2.3]/'], ['https://[::1.2.3.256]/'], ['https://1.2.3.4.5/'], ['https://256.256.256.256/'], ['https://1.2.3.0x100/'], ['https://4294967296/'], ['https://a.1.0x/'.replace('0x', '09')], ['https://@/'], ['https://u@/x'], ['https://:80/'], ['https://xn--/'], ['https://\ufffd/'], ['ht tp://x/'], ['1http://x/'], ['https://a#b@c:x/'.replace('#', ':')]],
  (input) => { throws(TypeError, () => new URL(input)); equal([URL.canParse(input), URL.parse(input)], [false, null]) });
test('parts', () => {
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = new URL(base);
  equal([href, origin, protocol, username, password, host, hostname, port, pathname, search, hash], [base, 'https://host.test:8443', 'https:', 'u', 'p', 'host.test:8443', 'host.test', '8443', '/a/b/c', '?q=1', '#f']);
});
test('parts that are not there', () => { const u = new URL('https://x.test'); equal([u.username, u.password, u.port, u.search, u.hash, u.pathname], ['', '', '', '', '', '/']) });
test('empty query and fragment', () => { const u = new URL('https://x.test/?#'); equal([u.search, u.hash, u.href], ['', '', 'https://x.test/?#']) });
table('origin', [['https://x.test:443/', 'https://x.test'], ['http://x.test:81', 'http://x.test:81'], ['ws://x.test/', 'ws://x.test'], ['mailto:x', 'null'], ['data:,', 'null'], ['foo://x', 'null'], ['blob:https://x.test/1', 'https://x.test'], ['blob:d', 'null'], ['file:///x', 'null']], (input, want) => equal(new URL(input).origin, want));
test('toString, toJSON', () => { const u = new URL('https://x.test/a'); equal([String(u), JSON.stringify({ u })], ['https://x.test/a', '{"u":"https://x.test/a"}']) });
test('base may be a URL', () => equal(new URL('b', new URL('https://x.test/a')).href, 'https://x.test/b'));
test('a bad base', () => throws(TypeError, () => new URL('https://x.test', 'x')));
test('undefined base', () => equal(new URL('https://x.test', undefined).href, 'https://x.test/'));
test('null base', () => throws(TypeError, () => new URL('https://x.test/', null)));
test('no argument', () => throws(TypeError, () => new URL()));
test('needs new', () => throws(TypeError, () => URL('https://x.test')));
test('canParse, parse', () => { equal([URL.canParse('a', 'https://x.test'), URL.parse('a', 'https://x.test').href], [true, 'https://x.test/a']) });
test('lone surrogates', () => equal(new URL('https://x.test/\ud800').href, 'https://x.test/%EF%BF%BD'));
test('a long path', () => equal(new URL('https://x.test/' + 'a/'.repeat(2000)).pathname.length, 4001));

const S = 'https://u:p@host.test:8443/a?q#f';
table('set', [
  ['href', 'http://x.test', 'http://x.test/'], ['protocol', 'http', 'http://u:p@host.test:8443/a?q#f'], ['protocol', 'http:foo', 'http://u:p@host.test:8443/a?q#f'], ['protocol', 'foo', S], ['protocol', '1x', S], ['protocol', '', S], ['protocol', 'HTTP', 'http://u:p@host.test:8443/a?q#f'],
  ['username', 'me', 'https://me:p@host.test:8443/a?q#f'], ['username', '', 'https://:p@host.test:8443/a?q#f'], ['username', 'a:b@c/', 'https://a%3Ab%40c%2F:p@host.test:8443/a?q#f'], ['password', '', 'https://u@host.test:8443/a?q#f'], ['password', 'ü', 'https://u:%C3%BC@host.test:8443/a?q#f'],
  ['host', 'x.test:9', 'https://u:p@x.test:9/a?q#f'], ['host', 'x.test', 'https://u:p@x.test:8443/a?q#f'], ['host', 'x.test:443', 'https://u:p@x.test/a?q#f'], ['host', '', S], ['host', 'x.test/y', 'https://u:p@x.test:8443/a?q#f'], ['host', 'a b', S], ['host', 'x.test:9x', 'https://u:p@x.test:9/a?q#f'],
  ['hostname', 'x.test', 'https://u:p@x.test:8443/a?q#f'], ['hostname', 'x.test:9', S], ['hostname', '[::1]', 'https://u:p@[::1]:8443/a?q#f'], ['hostname', '', S], ['hostname', '0x7f.1', 'https://u:p@127.0.0.1:8443/a?q#f'],
  ['port', '9', 'https://u:p@host.test:9/a?q#f'], ['port', '', 'https://u:p@host.test/a?q#f'], ['port', '443', 'https://u:p@host.test/a?q#f'], ['port', '9x', 'https://u:p@host.test:9/a?q#f'], ['port', 'x', S], ['port', '65536', S], ['port', '-1', S], ['port', 80, 'https://u:p@host.test:80/a?q#f'],
  ['pathname', 'x', 'https://u:p@host.test:8443/x?q#f'], ['pathname', '/x?y#z', 'https://u:p@host.test:8443/x%3Fy%23z?q#f'], ['pathname', '', 'https://u:p@host.test:8443/?q#f'], ['pathname', '../b c', 'https://u:p@host.test:8443/b%20c?q#f'], ['pathname', '\\x', 'https://u:p@host.test:8443/x?q#f'],
  ['search', 'x', 'https://u:p@host.test:8443/a?x#f'], ['search', '?x', 'https://u:p@host.test:8443/a?x#f'], ['search', '??', 'https://u:p@host.test:8443/a??#f'], ['search', '', 'https://u:p@host.test:8443/a#f'], ['search', '?', 'https://u:p@host.test:8443/a?#f'], ['search', "a#b'ä", 'https://u:p@host.test:8443/a?a%23b%27%C3%A4#f'],
  ['hash', 'x', 'https://u:p@host.test:8443/a?q#x'], ['hash', '#x', 'https://u:p@host.test:8443/a?q#x'], ['hash', '', 'https://u:p@host.test:8443/a?q'], ['hash', 'a b#', 'https://u:p@host.test:8443/a?q#a%20b#'],
], (key, value, want) => { const u = new URL(S); u[key] = value; equal(u.href, want) });
test('set href to what is none', () => { const u = new URL(S); throws(TypeError, () => { u.href = 'x' }); equal(u.href, S) });
test('origin cannot be set', () => { const u = new URL(S); try { u.origin = 'https://x.test' } catch { } equal(u.origin, 'https://host.test:8443') });
test('mailto: parts cannot be set', () => { const u = new URL('mailto:a'); u.host = 'x'; u.port = '1'; u.pathname = 'y'; u.username = 'z'; equal(u.href, 'mailto:a') });

// ---- URLSearchParams
const P = (init) => new URLSearchParams(init);
table('params', [['', ''], ['?', ''], ['??', '%3F='], ['a', 'a='], ['a=', 'a='], ['=a', '=a'], ['=', '='], ['&&', ''], ['a=b=c', 'a=b%3Dc'], ['a=1&a=2', 'a=1&a=2'], ['?a=b', 'a=b'], ['a+b=%20', 'a+b=+'], ['a=%C3%A4', 'a=%C3%A4'], ['a=ä', 'a=%C3%A4'], ['a=%', 'a=%25'], ['a=%2', 'a=%252'], ['a=%zz', 'a=%25zz'], ['a=%FF', 'a=%EF%BF%BD'], ['a=%EF%BB%BF', 'a=%EF%BB%BF'], ["a=!'()~*-._", 'a=%21%27%28%29%7E*-._'], ['a=\u0000', 'a=%00'], ['a=😀', 'a=%F0%9F%98%80'], ['a=\ud800', 'a=%EF%BF%BD'], ['a;b', 'a%3Bb=']],
  (input, want) => equal(P(input).toString(), want));
table('params of', [['undefined', undefined, ''], ['null', null, 'null='], ['number', 12, '12='], ['pairs', [['a', 1], ['b', null]], 'a=1&b=null'], ['object', { a: 1, b: 'x y' }, 'a=1&b=x+y'], ['map', new Map([['a', 'b']]), 'a=b'], ['params', P('a=1&a=2'), 'a=1&a=2'], ['empty object', {}, ''], ['object with an iterator', { *[Symbol.iterator]() { yield ['x', 'y'] } }, 'x=y']],
  (name, init, want) => equal(P(init).toString(), want));
table('params refuse', [[[['a']]], [[['a', 'b', 'c']]], [[1]], [Symbol('s')]], (init) => throws(TypeError, () => P(init)));
test('pairs of length two that are strings', () => throws(TypeError, () => P(['ab'])));
test('get, getAll, has, size', () => { const p = P('a=1&b=2&a=3'); equal([p.get('a'), p.get('c'), p.getAll('a'), p.getAll('c'), p.has('b'), p.has('c'), p.size], ['1', null, ['1', '3'], [], true, false, 3]) });
test('has with a value', () => { const p = P('a=1&a=2'); equal([p.has('a', '2'), p.has('a', '3'), p.has('a', undefined)], [true, false, true]) });
test('delete', () => { const p = P('a=1&b=2&a=3'); p.delete('a'); equal(String(p), 'b=2') });
test('delete with a value', () => { const p = P('a=1&a=2'); p.delete('a', '1'); equal(String(p), 'a=2') });
test('append', () => { const p = P('a=1'); p.append('a', 2); p.append('ä', '&='); equal(String(p), 'a=1&a=2&%C3%A4=%26%3D') });
test('set', () => { const p = P('a=1&b=2&a=3'); p.set('a', 4); p.set('c', 5); equal(String(p), 'a=4&b=2&c=5') });
test('sort is stable, by code units', () => { const p = P('z=1&a=2&z=0&\ufffd=3&😀=4&a=1'); p.sort(); equal([...p].map(([k, v]) => k + v), ['a2', 'a1', 'z1', 'z0', '😀4', '\ufffd3']) });
test('iteration', () => { const p = P('a=1&b=2'); equal([[...p], [...p.keys()], [...p.values()], [...p.entries()]], [[['a', '1'], ['b', '2']], ['a', 'b'], ['1', '2'], [['a', '1'], ['b', '2']]]) });
test('iteration is live', () => { const p = P('a=1&b=2&c=3'), seen = []; for (const [k] of p) { seen.push(k); p.delete(k) } equal(seen, ['a', 'c']) });
test('forEach', () => { const seen = []; P('a=1').forEach(function (v, k, p) { seen.push(v, k, p instanceof URLSearchParams, this.x) }, { x: 1 }); equal(seen, ['1', 'a', true, 1]) });
test('forEach is live', () => { const p = P('a=1&b=2'), seen = []; p.forEach((v, k) => { seen.push(k); if (seen.length < 4) p.append('n' + seen.length, 1) }); equal(seen, ['a', 'b', 'n1', 'n2', 'n3']) });
test('an iterator sees a new query', () => { const u = new URL('https://a/?x=1&y=2'), i = u.searchParams.keys(); i.next(); u.search = '?p=1&q=2&r=3'; equal([...i], ['q', 'r']) });
test('iterators of their own', () => { const p = Object.getPrototypeOf(P('a').entries()); equal([Object.getPrototypeOf(p) === Iterator.prototype, typeof p.constructor === 'function' && p.constructor === Iterator], [true, true]); throws(TypeError, () => p.next.call(new Headers().keys())) });
test('iterator tag', () => equal(Object.prototype.toString.call(P().entries()), '[object URLSearchParams Iterator]'));
test('params tag', () => equal(Object.prototype.toString.call(P()), '[object URLSearchParams]'));
table('too few arguments', [['append', ['a']], ['set', ['a']], ['get', []], ['getAll', []], ['has', []], ['delete', []], ['forEach', []]], (name, args) => throws(TypeError, () => P()[name](...args)));
test('searchParams is the same object', () => { const u = new URL(S); ok(u.searchParams === u.searchParams && u.searchParams instanceof URLSearchParams) });
test('searchParams changes the URL', () => { const u = new URL('https://x.test/?a=1#h'); u.searchParams.append('b', 'x y'); equal([u.href, u.search], ['https://x.test/?a=1&b=x+y#h', '?a=1&b=x+y']); u.searchParams.delete('a'); u.searchParams.delete('b'); equal(u.href, 'https://x.test/#h') });
test('the URL changes searchParams', () => { const u = new URL('https://x.test/?a=1'), p = u.searchParams; u.search = '?b=2'; equal(String(p), 'b=2'); u.href = 'https://x.test/?c=3'; equal(String(p), 'c=3'); u.search = ''; equal(p.size, 0) });
test('reading searchParams leaves the query', () => { const u = new URL("https://x.test/?a=b c~'"); u.searchParams.get('a'); equal(u.search, '?a=b%20c~%27') });
test('sorting searchParams', () => { const u = new URL('https://x.test/?b=1&a=2'); u.searchParams.sort(); equal(u.search, '?a=2&b=1') });
test('a thousand params', () => { const p = P(); for (let i = 0; i < 1000; i++) p.append('k' + i, i); equal([p.size, P(p.toString()).get('k999')], [1000, '999']) });
