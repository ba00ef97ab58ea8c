// multipart/form-data: written as https://html.spec.whatwg.org/#multipart-form-data says, and read as RFC 7578 says.

const maxParts = 1_000, maxPartHeader = 16 << 10;
const crlf = (text) => text.replace(/\r\n?|\n/g, '\r\n');
const quoted = (text) => text.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
const hex = (bytes) => { let text = ''; for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16); return text };

// multipartOf returns [bytes, content type]. The boundary is random: content cannot end its part by itself.
const multipartOf = (form) => {
  const boundary = '----formdata-' + hex(native.random(new Uint8Array(16))), parts = [];
  for (const [name, value] of entriesOfForm(form)) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(crlf(name))}"`;
    if (typeof value === 'string') parts.push(native.utf8(`${head}\r\n\r\n${crlf(value)}\r\n`));
    else parts.push(native.utf8(`${head}; filename="${quoted(nameOfFile(value))}"\r\nContent-Type: ${typeOfBlob(value) || 'application/octet-stream'}\r\n\r\n`), bytesOfBlob(value), native.utf8('\r\n'));
  }
  parts.push(native.utf8(`--${boundary}--\r\n`));
  return [concat(parts), `multipart/form-data; boundary=${boundary}`];
};

const badForm = (why) => new TypeError(`the body is no valid multipart/form-data: ${why}`);
const startsWith = (bytes, at, needle) => {
  for (let i = 0; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
};
const lineEnd = native.utf8('\r\n'), emptyLine = native.utf8('\r\n\r\n'), dashes = native.utf8('--');

const parseMultipart = (bytes, boundary) => {
  const delimiter = native.utf8('\r\n--' + boundary), entries = [];
  // Bytes before the first boundary (a preamble) are no part.
  const before = startsWith(bytes, 0, delimiter.subarray(2)) ? -2 : native.find(bytes, delimiter, 0);
  if (before === -1) throw badForm('its boundary does not occur');
  let at = before + delimiter.length;
  for (;;) {
    if (startsWith(bytes, at, dashes)) return entries;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
    if (!startsWith(bytes, at, lineEnd)) throw badForm('a boundary is not alone in its line');
    if (entries.length >= maxParts) throw badForm(`it has more than ${maxParts} parts`);
    const blank = native.find(bytes.subarray(at, at + maxPartHeader), emptyLine, 0) + at;
    if (blank < at) throw badForm(`a part has no empty line in its first ${maxPartHeader} bytes`);
    const end = native.find(bytes, delimiter, blank + 2);
    if (end < 0) throw badForm('it ends in the middle of a part');
    if (end < blank + 4) throw badForm('a part has no empty line after its header');
    entries.push(parsePart(native.text(bytes.subarray(at + 2, blank), false), bytes.subarray(blank + 4, end)));
    at = end + delimiter.length;
  }
};

const parsePart = (header, content) => {
  let disposition, type;
  for (const line of header.split('\r\n')) {
    const colon = line.indexOf(':'), name = line.slice(0, colon).toLowerCase();
    if (name === 'content-disposition') disposition = line.slice(colon + 1).trim();
    else if (name === 'content-type') type = line.slice(colon + 1).trim();
    else if (colon <= 0 || /[^!#$%&'*+\-.^_`|~0-9a-z]/.test(name)) throw badForm('a line of a part\'s header has no name');
  }
  const { name, filename } = parseDisposition(disposition);
  if (filename === undefined) return [name, withoutBOM(native.text(content, false))];
  return [name, new File(inside, filename, { bytes: content.slice(), type: mediaType(type ?? 'text/plain') })];
};
const parseDisposition = (value) => {
  if (value === undefined) throw badForm('a part has no Content-Disposition');
  if (!/^form-data[ \t]*(?:;|$)/i.test(value)) throw badForm('the Content-Disposition of a part is not form-data');
  const found = { name: undefined, filename: undefined };
  const parameter = /;[ \t]*([!#$&'+.^_`|~0-9A-Za-z-]+\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))[ \t]*/y;
  for (let at = value.indexOf(';'); at >= 0 && at < value.length; at = parameter.lastIndex) {
    parameter.lastIndex = at;
    const match = parameter.exec(value);
    if (!match) throw badForm('the Content-Disposition of a part cannot be read');
    const key = match[1].toLowerCase();
    if (key in found) found[key] ??= unquoted(match[2] ?? match[3]);
  }
  if (found.name === undefined) throw badForm('a part has no name');
  return found;
};
const unquoted = (text) => !/[\\%]/.test(text) ? text : text.replace(/\\(["\\])/g, '$1').replace(/%0A/gi, '\n').replace(/%0D/gi, '\r').replace(/%22/g, '"');

// mediaTypeOf splits a Content-Type into its essence and parameters (https://mimesniff.spec.whatwg.org/#parsing-a-mime-type).
const mediaTypeOf = (header) => {
  const [essence] = header.split(';', 1), parameters = {};
  const parameter = /;[ \t]*([^=;\s]+)=(?:"((?:[^"\\]|\\.)*)"[^;]*|([^;]*))/g;
  for (const [, name, inQuotes, plain] of header.matchAll(parameter)) {
    const key = name.toLowerCase();
    if (!Object.hasOwn(parameters, key)) parameters[key] = inQuotes !== undefined ? inQuotes.replace(/\\(.)/g, '$1') : plain.trim();
  }
  return { essence: essence.trim().toLowerCase(), parameters };
};
