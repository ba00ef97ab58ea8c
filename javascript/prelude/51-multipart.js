// multipart/form-data: written as https://html.spec.whatwg.org/#multipart-form-data says, and read as RFC 7578 says.

const maxParts = 10_000, maxPartHeader = 16 << 10;
const crlf = (text) => text.replace(/\r\n?|\n/g, '\r\n');
const quoted = (text) => text.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
const hex = (bytes) => { let text = ''; for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16); return text };

// multipartOf returns [bytes, content type]. The boundary is random: content cannot end its part by itself.
const multipartOf = (form) => {
  const boundary = '----formdata-' + hex(native.random(new Uint8Array(16))), parts = [];
  for (const [name, value] of entriesOfForm(form)) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(crlf(name))}"`;
    if (typeof value === 'string') parts.push(native.utf8(`${head}\r\n\r\n${crlf(value)}\r\n`));
    else parts.push(native.utf8(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`), bytesOfBlob(value), native.utf8('\r\n'));
  }
  parts.push(native.utf8(`--${boundary}--\r\n`));
  return [concat(parts), `multipart/form-data; boundary=${boundary}`];
};

const badForm = (why) => new TypeError(`the body is no valid multipart/form-data: ${why}`);
// indexOfBytes finds needle, whose first byte is rare in what is searched (a carriage return or a dash).
const indexOfBytes = (bytes, needle, from) => {
  for (let at = bytes.indexOf(needle[0], from); at >= 0 && at + needle.length <= bytes.length; at = bytes.indexOf(needle[0], at + 1)) {
    let i = 1;
    while (i < needle.length && bytes[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
};
const startsWith = (bytes, at, text) => {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
};

const parseMultipart = (bytes, boundary) => {
  const delimiter = native.utf8('\r\n--' + boundary), entries = [];
  // What stands before the first boundary (a preamble) is no part.
  let at = startsWith(bytes, 0, '--' + boundary) ? delimiter.length - 2 : indexOfBytes(bytes, delimiter, 0) + delimiter.length;
  if (at < delimiter.length - 2 || at === delimiter.length - 1) throw badForm('its boundary does not occur');
  for (;;) {
    if (startsWith(bytes, at, '--')) return entries;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
    if (!startsWith(bytes, at, '\r\n')) throw badForm('a boundary is not alone in its line');
    if (entries.length >= maxParts) throw badForm(`it has more than ${maxParts} parts`);
    const end = indexOfBytes(bytes, delimiter, at);
    if (end < 0) throw badForm('it ends in the middle of a part');
    entries.push(parsePart(bytes.subarray(at, end)));
    at = end + delimiter.length;
  }
};

// parsePart takes a part from the line end after its boundary to its last byte.
const parsePart = (part) => {
  const blank = native.utf8('\r\n\r\n'), end = indexOfBytes(part, blank, 0);
  if (end < 0) throw badForm('a part has no empty line after its header');
  if (end > maxPartHeader) throw badForm(`the header of a part is longer than ${maxPartHeader} bytes`);
  let disposition, type;
  for (const line of native.text(part.subarray(0, end), false).split('\r\n')) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0 || /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(line.slice(0, colon))) throw badForm('a line of a part\'s header has no name');
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    const name = line.slice(0, colon).toLowerCase();
    if (name === 'content-disposition') disposition = value; else if (name === 'content-type') type = value;
  }
  const { name, filename } = parseDisposition(disposition);
  const content = part.subarray(end + 4);
  if (filename === undefined) return [name, withoutBOM(native.text(content, false))];
  return [name, new File(inside, filename, { bytes: content.slice(), type: mediaType(type ?? 'text/plain') })];
};
const parseDisposition = (value) => {
  if (value === undefined) throw badForm('a part has no Content-Disposition');
  if (!/^form-data[ \t]*(;|$)/i.test(value)) throw badForm('the Content-Disposition of a part is not form-data');
  const found = {};
  const parameter = /;[ \t]*([!#$&'+.^_`|~0-9A-Za-z-]+\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))[ \t]*/gy;
  parameter.lastIndex = value.indexOf(';') < 0 ? value.length : value.indexOf(';');
  while (parameter.lastIndex < value.length) {
    const match = parameter.exec(value);
    if (!match) throw badForm('the Content-Disposition of a part cannot be read');
    const key = match[1].toLowerCase();
    if (!Object.hasOwn(found, key)) found[key] = unquoted(match[2] ?? match[3]);
  }
  if (found.name === undefined) throw badForm('a part has no name');
  return found;
};
const unquoted = (text) => text.replace(/\\(["\\])/g, '$1').replace(/%0A/gi, '\n').replace(/%0D/gi, '\r').replace(/%22/g, '"');

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
