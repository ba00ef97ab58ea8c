// TextEncoder, TextDecoder and their streams (https://encoding.spec.whatwg.org/). Known encodings: utf-8, utf-16le,
// utf-16be and windows-1252 with all their labels; the other legacy ones are refused by name.

const labels = {
  'utf-8': 'unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8',
  'utf-16le': 'csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le',
  'utf-16be': 'unicodefffe utf-16be',
  'windows-1252': 'ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252',
};
const encodingOf = (label) => {
  const wanted = String(label).replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '').toLowerCase();
  for (const name in labels) if (wanted && labels[name].split(' ').includes(wanted)) return name;
  throw new RangeError(`the encoding ${JSON.stringify(String(label))} is not there: use utf-8, utf-16le, utf-16be or windows-1252`);
};
// The characters of windows-1252 in place of the control characters 80 to 9F.
const windows1252 = '\u20AC\x81\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\x8D\u017D\x8F\x90\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\x9D\u017E\u0178';

class TextEncoder {
  #brand;
  get encoding() { this.#brand; return 'utf-8' }
  encode(input = '') { this.#brand; return native.utf8(String(input)) }
  encodeInto(source, destination) {
    this.#brand;
    needArguments(arguments.length, 2, 'encodeInto');
    if (!(destination instanceof Uint8Array)) throw new TypeError('encodeInto needs a Uint8Array');
    const [read, written] = native.utf8Into(String(source), destination);
    return { read, written };
  }
}

const noBytes = new Uint8Array(0);
class TextDecoder {
  #encoding = 'utf-8'; #fatal = false; #ignoreBOM = false; #tail = undefined; #begun = false; #streaming = false;
  constructor(label, options) {
    if (label !== undefined) this.#encoding = encodingOf(label);
    if (options === undefined) return;
    options = dictionary(options, 'the options');
    this.#fatal = !!options.fatal;
    this.#ignoreBOM = !!options.ignoreBOM;
  }
  get encoding() { return this.#encoding }
  get fatal() { return this.#fatal }
  get ignoreBOM() { return this.#ignoreBOM }
  decode(input, options) {
    if (input !== undefined && !isBytes(input)) throw new TypeError('decode needs a buffer or a view of one');
    const stream = options !== undefined && !!dictionary(options, 'the options').stream;
    if (!this.#streaming) { this.#tail = undefined; this.#begun = false }
    this.#streaming = stream;
    let bytes = input === undefined ? noBytes : view(input);
    if (this.#tail) { bytes = concat([this.#tail, bytes]); this.#tail = undefined }
    if (stream) {
      const whole = bytes.length - unfinished(this.#encoding, bytes);
      if (whole < bytes.length) { this.#tail = bytes.slice(whole); bytes = bytes.subarray(0, whole) }
    }
    let text;
    try { text = decoders[this.#encoding](bytes, this.#fatal) } catch (error) { this.#streaming = false; throw error }
    if (this.#begun || text === '') return text;
    this.#begun = true;
    return !this.#ignoreBOM && text.charCodeAt(0) === 0xFEFF && this.#encoding !== 'windows-1252' ? text.slice(1) : text;
  }
}

// unfinished returns how many bytes at the end may be the beginning of a character that goes on.
const unfinished = (encoding, bytes) => {
  const n = bytes.length;
  if (encoding === 'windows-1252') return 0;
  if (encoding !== 'utf-8') {
    const odd = n % 2, high = encoding === 'utf-16le' ? bytes[n - odd - 1] : bytes[n - odd - 2];
    return n - odd >= 2 && (high & 0xFC) === 0xD8 ? odd + 2 : odd;
  }
  for (let back = 1; back <= 3 && back <= n; back++) {
    const byte = bytes[n - back];
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const needed = byte < 0xC2 ? 0 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF5 ? 4 : 0;
    if (needed <= back) return 0;
    const second = bytes[n - back + 1]; // the first bytes bound the second ones: E0 A0.., ED ..9F, F0 90.., F4 ..8F
    if (back > 1 && (byte === 0xE0 && second < 0xA0 || byte === 0xED && second > 0x9F || byte === 0xF0 && second < 0x90 || byte === 0xF4 && second > 0x8F)) return 0;
    return back;
  }
  return 0;
};
const decoders = {
  'utf-8': (bytes, fatal) => native.text(bytes, fatal),
  'utf-16le': (bytes, fatal) => utf16(bytes, fatal),
  'utf-16be': (bytes, fatal) => {
    const swapped = bytes.slice();
    for (let i = 0; i + 1 < swapped.length; i += 2) { swapped[i] = bytes[i + 1]; swapped[i + 1] = bytes[i] }
    return utf16(swapped, fatal);
  },
  'windows-1252': (bytes) => native.latin1(bytes).replace(/[\x80-\x9f]/g, (c) => windows1252[c.charCodeAt(0) - 0x80]),
};
const utf16 = (bytes, fatal) => {
  const odd = bytes.length % 2, text = native.utf16(odd ? bytes.subarray(0, bytes.length - 1) : bytes);
  if (fatal && (odd || !text.isWellFormed())) throw new TypeError('the bytes are not valid utf-16');
  return toWellFormed(text) + (odd ? '\uFFFD' : '');
};

class TextEncoderStream {
  #t; #high = '';
  constructor() {
    const put = (c, text) => { if (text) enqueueOut(this.#t, native.utf8(text)) };
    this.#t = startedTransform({
      transform: async (chunk, c) => {
        let text = this.#high + String(chunk);
        const last = text.charCodeAt(text.length - 1);
        this.#high = last >= 0xD800 && last <= 0xDBFF ? text[text.length - 1] : '';
        if (this.#high) text = text.slice(0, -1);
        put(c, text);
      },
      flush: async (c) => { if (this.#high) put(c, '\uFFFD') },
    });
  }
  get encoding() { this.#t; return 'utf-8' }
  get readable() { return this.#t.readable }
  get writable() { return this.#t.writable }
}

class TextDecoderStream {
  #t; #decoder;
  constructor(label = 'utf-8', options = undefined) {
    const decoder = this.#decoder = new TextDecoder(label, options);
    const decode = TextDecoder.prototype.decode;
    const put = (text) => { if (text) enqueueOut(this.#t, text) };
    this.#t = startedTransform({
      transform: async (chunk) => {
        if (!isBytes(chunk)) throw new TypeError('the chunk is neither a buffer nor a view of one');
        put(decode.call(decoder, chunk, { stream: true }));
      },
      flush: async () => put(decode.call(decoder)),
    });
  }
  get encoding() { return this.#decoder.encoding }
  get fatal() { return this.#decoder.fatal }
  get ignoreBOM() { return this.#decoder.ignoreBOM }
  get readable() { return this.#t.readable }
  get writable() { return this.#t.writable }
}
publish(TextEncoder, TextDecoder, TextEncoderStream, TextDecoderStream);
