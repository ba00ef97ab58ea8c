// Blob, File (https://w3c.github.io/FileAPI/) and FormData (https://xhr.spec.whatwg.org/#interface-formdata).

// Headers are written from these functions, and never from getters, which a subclass may replace.
let bytesOfBlob, typeOfBlob, isBlob, isFile, nameOfFile, modifiedOfFile;

class Blob {
  #bytes; #type;
  static {
    bytesOfBlob = (blob) => blob.#bytes;
    typeOfBlob = (blob) => blob.#type;
    isBlob = (value) => isObject(value) && #bytes in value;
  }
  constructor(parts, options) {
    if (parts === inside) { this.#bytes = options.bytes; this.#type = options.type; return }
    if (parts !== undefined && (!isObject(parts) || typeof parts[Symbol.iterator] !== 'function')) throw new TypeError('the parts of a Blob are a list');
    const list = parts === undefined ? [] : [...parts];
    options = dictionary(options, 'the options');
    const { endings = 'transparent', type = '' } = options, nativeEndings = `${endings}` === 'native';
    if (!nativeEndings && `${endings}` !== 'transparent') throw new TypeError('endings is "transparent" or "native"');
    const bytes = [];
    for (const part of list) bytes.push(partBytes(part, nativeEndings));
    this.#bytes = concat(bytes);
    this.#type = mediaType(type);
  }
  get size() { return this.#bytes.byteLength }
  get type() { return this.#type }
  async text() { return withoutBOM(native.text(this.#bytes, false)) }
  async arrayBuffer() { return copyOf(this.#bytes).buffer }
  async bytes() { return copyOf(this.#bytes) }
  stream() { return streamOfBytes(copyOf(this.#bytes)) }
  slice(start = 0, end = this.#bytes.byteLength, type = '') {
    const { byteLength } = this.#bytes;
    const from = clamp(start, byteLength), to = Math.max(from, clamp(end, byteLength));
    // Bytes of a Blob never change, so a slice shares them.
    return new Blob(inside, { bytes: this.#bytes.subarray(from, to), type: mediaType(type) });
  }
}
const partBytes = (part, nativeEndings) => {
  if (isBytes(part)) return copyOf(part);
  if (isBlob(part)) return bytesOfBlob(part);
  const text = usv(part);
  return native.utf8(nativeEndings ? text.replace(/\r\n?/g, '\n') : text);
};
const mediaType = (type) => { type = String(type); return type === '' || /[^ -~]/.test(type) ? '' : type.toLowerCase() };
const clamp = (at, size) => {
  at = Math.trunc(Number(at)) || 0;
  return at < 0 ? Math.max(0, size + at) : Math.min(at, size);
};
const withoutBOM = (text) => text.charCodeAt(0) === 0xFEFF ? text.slice(1) : text;
const streamOfBytes = (bytes) => {
  const s = newReadable(), stream = new ReadableStream(inside, s);
  const c = attachByteController(s, undefined, done, done, 0, undefined);
  if (bytes.byteLength > 0) enqueueBytes(c, bytes);
  closeBytes(c);
  return stream;
};

class File extends Blob {
  #name; #lastModified;
  static {
    isFile = (value) => isObject(value) && #name in value;
    nameOfFile = (file) => file.#name;
    modifiedOfFile = (file) => file.#lastModified;
  }
  constructor(parts, name, options) {
    if (parts === inside) {
      super(inside, options);
      this.#name = name;
      this.#lastModified = options.lastModified ?? Date.now();
      return;
    }
    needArguments(arguments.length, 2, 'new File');
    super(parts, options);
    this.#name = usv(name);
    const { lastModified } = dictionary(options, 'the options');
    this.#lastModified = lastModified === undefined ? Date.now() : Math.trunc(Number(lastModified)) || 0;
  }
  get name() { return this.#name }
  get lastModified() { return this.#lastModified }
  get webkitRelativePath() { this.#name; return '' }
}

let entriesOfForm, isForm, formOf;
class FormData {
  #entries = [];
  static {
    entriesOfForm = (form) => form.#entries;
    isForm = (value) => isObject(value) && #entries in value;
    formOf = (entries) => { const form = new FormData; form.#entries = entries; return form };
  }
  constructor(form) { if (form !== undefined) throw new TypeError('there are no form elements here: new FormData takes nothing') }
  append(name, value, filename) {
    needArguments(arguments.length, 2, 'append');
    this.#entries.push([usv(name), formValue(value, filename, arguments.length > 2)]);
  }
  set(name, value, filename) {
    needArguments(arguments.length, 2, 'set');
    const entry = [usv(name), formValue(value, filename, arguments.length > 2)];
    const at = this.#entries.findIndex(([key]) => key === entry[0]);
    if (at < 0) { this.#entries.push(entry); return }
    this.#entries[at] = entry;
    this.#entries = this.#entries.filter(([key], i) => i <= at || key !== entry[0]);
  }
  delete(name) { needArguments(arguments.length, 1, 'delete'); name = usv(name); this.#entries = this.#entries.filter(([key]) => key !== name) }
  get(name) { needArguments(arguments.length, 1, 'get'); name = usv(name); return this.#entries.find(([key]) => key === name)?.[1] ?? null }
  getAll(name) { needArguments(arguments.length, 1, 'getAll'); name = usv(name); return this.#entries.filter(([key]) => key === name).map(([, value]) => value) }
  has(name) { needArguments(arguments.length, 1, 'has'); name = usv(name); return this.#entries.some(([key]) => key === name) }
  entries() { this.#entries; return newFormIterator(this, (entry) => [entry[0], entry[1]]) }
  keys() { this.#entries; return newFormIterator(this, (entry) => entry[0]) }
  values() { this.#entries; return newFormIterator(this, (entry) => entry[1]) }
  forEach(act, self) {
    needArguments(arguments.length, 1, 'forEach');
    if (typeof act !== 'function') throw new TypeError('forEach needs a function');
    for (let i = 0; i < this.#entries.length; i++) act.call(self, this.#entries[i][1], this.#entries[i][0], this);
  }
}
defineProperty(FormData.prototype, Symbol.iterator, { value: FormData.prototype.entries, writable: true, configurable: true, enumerable: false });

const formValue = (value, filename, named) => {
  if (!isBlob(value)) {
    if (named) throw new TypeError('only a Blob has a file name');
    return usv(value);
  }
  if (isFile(value) && !named) return value;
  return new File(inside, named ? usv(filename) : 'blob', { bytes: bytesOfBlob(value), type: typeOfBlob(value), lastModified: isFile(value) ? modifiedOfFile(value) : undefined });
};

// Iterators are live: entries that are appended meanwhile are visited.
const IteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
let newFormIterator;
class FormDataIterator {
  #form; #pick; #at = 0;
  static { newFormIterator = (form, pick) => new FormDataIterator(inside, form, pick) }
  constructor(token, form, pick) { onlyInside(token); this.#form = form; this.#pick = pick }
  next() {
    const entry = entriesOfForm(this.#form)[this.#at];
    if (!entry) return { value: undefined, done: true };
    this.#at++;
    return { value: this.#pick(entry), done: false };
  }
}
idl(FormDataIterator, 'FormData Iterator');
delete FormDataIterator.prototype.constructor;
setPrototypeOf(FormDataIterator.prototype, IteratorPrototype);
publish(Blob, File, FormData);
