# What apps are given, and what the engine calls. It is module agora; its names without "_" are builtins, too.
import _agora
import json
import builtins

# --- what the engine lacks of Python

def _best(name, args, key, default, better):
    items = args
    if len(args) == 1:
        items = list(args[0])
    if len(items) == 0:
        if default is not None:
            return default
        raise ValueError(name + '() of nothing')
    best = items[0]
    kept = best if key is None else key(best)
    for item in items:
        value = item if key is None else key(item)
        if better(value, kept):
            best, kept = item, value
    return best

def max(*args, key=None, default=None):
    return _best('max', args, key, default, lambda a, b: a > b)

def min(*args, key=None, default=None):
    return _best('min', args, key, default, lambda a, b: a < b)

def sum(items, start=0):
    for item in items:
        start = start + item
    return start

def zip(*args):
    iters = [list(a) for a in args]
    if len(iters) == 0:
        return
    n = min([len(a) for a in iters])
    for i in range(n):
        yield tuple([a[i] for a in iters])

def _split(self, sep=None, maxsplit=-1):
    parts, from_, n = [], 0, len(self)
    if sep is None:
        word = ''
        for c in self:
            if c in ' \t\n\r':
                if word:
                    parts.append(word)
                word = ''
            else:
                word += c
        if word:
            parts.append(word)
        return parts
    if sep == '':
        raise ValueError('empty separator')
    rest = self
    while maxsplit != 0:
        at = rest.find(sep)
        if at < 0:
            break
        parts.append(rest[:at])
        rest = rest[at + len(sep):]
        maxsplit -= 1
    parts.append(rest)
    return parts

def _splitlines(self):
    lines = _split(self.replace('\r\n', '\n').replace('\r', '\n'), '\n')
    if lines and lines[-1] == '':
        lines.pop()
    return lines

def _partition(self, sep):
    at = self.find(sep)
    if at < 0:
        return self, '', ''
    return self[:at], sep, self[at + len(sep):]

def _only(self, ranges):
    for c in self:
        found = False
        for r in ranges:
            if r[0] <= c and c <= r[1]:
                found = True
        if not found:
            return False
    return len(self) > 0

str.split = _split
str.splitlines = _splitlines
str.partition = _partition
str.isdigit = lambda self: _only(self, ['09'])
str.isalpha = lambda self: _only(self, ['az', 'AZ'])
str.isalnum = lambda self: _only(self, ['09', 'az', 'AZ'])
str.capitalize = lambda self: self[:1].upper() + self[1:].lower()
str.title = lambda self: ' '.join([_capitalized(w) for w in self.split(' ')])
str.removeprefix = lambda self, prefix: self[len(prefix):] if prefix and self.startswith(prefix) else self
str.removesuffix = lambda self, suffix: self[:len(self) - len(suffix)] if suffix and self.endswith(suffix) else self

def _capitalized(word):
    return word[:1].upper() + word[1:].lower()

for _name in ['max', 'min', 'sum', 'zip']:
    setattr(builtins, _name, globals()[_name])

# --- apps

_said = {
    -1: 'the request is not one that it takes', -2: 'there is none of that name', -3: 'not granted',
    -4: 'the quota is used up', -5: 'too large', -6: 'unavailable now: try again later',
    -8: 'somebody else changed it meanwhile', -9: 'took too long',
}

class AgoraError(Exception):
    pass

def _must(capability, what, answer):
    if type(answer) is int:
        text = what + ': ' + (_said.get(answer) or 'refused (' + str(answer) + ')')
        if answer == -3:
            text += '. agora.toml has to list it under [capabilities.' + capability + '], and a reviewer has to grant it'
        raise AgoraError(text)
    return answer

def _as(data, type):
    if type == 'text':
        return _agora.text(data)
    if type == 'json':
        return json.loads(_agora.text(data))
    if type == 'bytes':
        return data
    raise ValueError(repr(type) + " is not 'text', 'json' or 'bytes'")

def _kept(value):
    if type(value) is str or type(value) is bytes:
        return value
    raise TypeError('what is kept is a str or bytes: write json.dumps(value) for anything else')

class Headers:
    def __init__(self, fields=None):
        self._list = []
        if fields is None:
            return
        if type(fields) is dict:
            for name, value in fields.items():
                self.append(name, value)
        else:
            for name, value in fields:
                self.append(name, value)

    def get(self, name, default=None):
        name = name.lower()
        for i in range(0, len(self._list), 2):
            if self._list[i].lower() == name:
                return self._list[i + 1]
        return default

    def get_all(self, name):
        name = name.lower()
        return [self._list[i + 1] for i in range(0, len(self._list), 2) if self._list[i].lower() == name]

    def append(self, name, value):
        name, value = str(name), str(value)
        if not name or ':' in name or ' ' in name or '\n' in name or '\r' in name:
            raise ValueError('a header cannot have the name ' + repr(name))
        if '\n' in value or '\r' in value:
            raise ValueError('the value of header ' + name + ' has more than a line')
        self._list.append(name)
        self._list.append(value)

    def set(self, name, value):
        self.delete(name)
        self.append(name, value)

    def delete(self, name):
        name, kept = name.lower(), []
        for i in range(0, len(self._list), 2):
            if self._list[i].lower() != name:
                kept.append(self._list[i])
                kept.append(self._list[i + 1])
        self._list = kept

    def items(self):
        return [(self._list[i].lower(), self._list[i + 1]) for i in range(0, len(self._list), 2)]

    def keys(self):
        return [name for name, value in self.items()]

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name, value):
        self.set(name, value)

    def __delitem__(self, name):
        self.delete(name)

    def __contains__(self, name):
        return self.get(name) is not None

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self._list) // 2

def _fields(pairs):
    fields = {}
    for i in range(0, len(pairs), 2):
        fields[pairs[i]] = pairs[i + 1]
    return fields

class Request:
    def __init__(self):
        self.method = _agora.part(16)
        self.path = _agora.part(24)
        self.query_string = _agora.part(32)
        self._query = None
        self._headers = None

    @property
    def url(self):
        url = (_agora.part(72) or 'http') + '://' + _agora.part(40) + self.path
        if self.query_string:
            url += '?' + self.query_string
        return url

    @property
    def query(self):
        if self._query is None:
            self._query = _fields(_agora.form(self.query_string))
        return self._query

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers()
            self._headers._list = _agora.headers()
        return self._headers

    def bytes(self):
        return _agora.body()

    def text(self):
        return _agora.text(_agora.body())

    def json(self):
        return json.loads(self.text())

    def form(self):
        kind = (self.headers.get('content-type') or '').lower()
        if not kind.startswith('application/x-www-form-urlencoded'):
            raise ValueError('the body is no form of type application/x-www-form-urlencoded, which is the one that is read')
        return _fields(_agora.form(_agora.body()))

class Event(Request):
    def __init__(self):
        super().__init__()
        header = self.headers.get
        self.name = header('agora-trigger-name') or ''
        self.id = header('agora-event-id') or ''
        self.attempt = int(header('agora-attempt') or '0')
        self.time = header('agora-event-time') or ''
        self.cron = self.name
        slash = self.name.find('/')
        self.sender = self.name[:slash] if slash >= 0 else ''
        self.topic = self.name[slash + 1:]

class Response:
    def __init__(self, body=None, status=200, headers=None):
        if type(status) is not int or status < 200 or status > 599:
            raise ValueError('a status is a number from 200 to 599')
        if body is not None and type(body) is not str and type(body) is not bytes:
            raise TypeError("a body is a str or bytes: write Response.json(value) for a " + type(body).__name__)
        self.status = status
        self.headers = headers if type(headers) is Headers else Headers(headers)
        self.body = body
        if type(body) is str and 'content-type' not in self.headers:
            self.headers.append('content-type', 'text/plain;charset=UTF-8')

    @staticmethod
    def json(value, status=200, headers=None):
        headers = headers if type(headers) is Headers else Headers(headers)
        if 'content-type' not in headers:
            headers.append('content-type', 'application/json')
        return Response(json.dumps(value), status, headers)

    @staticmethod
    def html(text, status=200, headers=None):
        headers = headers if type(headers) is Headers else Headers(headers)
        if 'content-type' not in headers:
            headers.append('content-type', 'text/html;charset=UTF-8')
        return Response(text, status, headers)

    @staticmethod
    def redirect(url, status=302):
        return Response(None, status, {'location': url})

class Fetched:
    def __init__(self, url, answer):
        self.url = url
        self.status, pairs, self._body = answer
        self.ok = 200 <= self.status and self.status < 300
        self.headers = Headers()
        self.headers._list = pairs

    def bytes(self):
        return self._body

    def text(self):
        return _agora.text(self._body)

    def json(self):
        return json.loads(self.text())

class _Page:
    pass

def _page(keys, cursor):
    return {'keys': keys, 'list_complete': len(keys) < 1000, 'cursor': cursor if len(keys) >= 1000 else None}

class _KV:
    def get(self, key, type='text'):
        answer = _agora.ask('kv_get', 'r', key)
        return None if answer == -2 else _as(_must('kv', 'kv get ' + key, answer), type)

    def put(self, key, value, expiration_ttl=0):
        _must('kv', 'kv put ' + key, _agora.ask('kv_put', 'qsr', _lifetime(expiration_ttl), key, _kept(value)))

    def delete(self, key):
        _must('kv', 'kv delete ' + key, _agora.ask('kv_delete', 'r', key))

    def list(self, prefix='', cursor=''):
        keys = _agora.names(_must('kv', 'kv list ' + prefix, _agora.ask('kv_scan', 'sr', prefix, cursor or '')), False)
        return _page(keys, keys[-1] if keys else None)

    def swap(self, key, before, after, expiration_ttl=0):
        before = None if before is None else _kept(before)
        after = None if after is None else _kept(after)
        answer = _agora.ask('kv_swap', 'qsoo', _lifetime(expiration_ttl), key, before, after)
        if answer == -8:
            return False
        _must('kv', 'kv swap ' + key, answer)
        return True

def _lifetime(seconds):
    if not seconds >= 0:
        raise ValueError('expiration_ttl is a number of seconds from now')
    return int(seconds * 1000)

class _Blob:
    def get(self, name, type='bytes', offset=0, length=8388608):
        answer = _agora.ask('blob_get', 'qqr', offset, length, name)
        return None if answer == -2 else _as(_must('blob', 'blob get ' + name, answer), type)

    def put(self, name, value):
        _must('blob', 'blob put ' + name, _agora.ask('blob_put', 'sr', name, _kept(value)))

    def delete(self, name):
        _must('blob', 'blob delete ' + name, _agora.ask('blob_delete', 'r', name))

    def list(self, prefix='', cursor=''):
        all = _agora.names(_must('blob', 'blob list ' + prefix, _agora.ask('blob_list', 'sr', prefix, cursor or '')), True)
        keys = [{'name': all[i], 'size': all[i + 1]} for i in range(0, len(all), 2)]
        return _page(keys, keys[-1]['name'] if keys else None)

class _Secrets:
    def get(self, name):
        answer = _agora.ask('secret_get', 'r', name)
        return None if answer == -2 else _agora.text(_must('secret', 'secret ' + name, answer))

class _Config:
    def get(self, name, default=None):
        answer = _agora.ask('config_get', 'r', name)
        return default if answer == -2 else _agora.text(_must('config', 'config ' + name, answer))

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

class _Events:
    def publish(self, topic, payload, key=''):
        if type(payload) is not str and type(payload) is not bytes:
            payload = json.dumps(payload)
        return _agora.text(_must('events', 'publish ' + topic, _agora.ask('events_publish', 'ssr', topic, key, payload)))

class _LLM:
    def chat(self, request):
        if request.get('stream'):
            raise ValueError('the Python preview has no streams: leave "stream" out')
        return json.loads(_agora.text(_must('llm', 'llm', _agora.ask('llm_chat', 'r', json.dumps(request)))))

class _Env:
    def __init__(self):
        self.KV = _KV()
        self.BLOB = _Blob()
        self.SECRETS = _Secrets()
        self.EVENTS = _Events()
        self.LLM = _LLM()
        self.config = _Config()

    def fetch(self, url, method='GET', headers=None, body=''):
        at = url.find('://')
        if at < 0:
            raise ValueError('fetch takes a whole address, as https://api.example.com/v1, and not ' + repr(url))
        hash = url.find('#')
        if hash >= 0:
            url = url[:hash]
        rest = url[at + 3:]
        end = len(rest)
        for stop in '/?':
            found = rest.find(stop)
            if found >= 0 and found < end:
                end = found
        origin, path, query = url[:at + 3] + rest[:end], rest[end:], ''
        mark = path.find('?')
        if mark >= 0:
            path, query = path[:mark], path[mark + 1:]
        headers = headers if type(headers) is Headers else Headers(headers)
        if type(body) is not str and type(body) is not bytes:
            body = json.dumps(body)
            if 'content-type' not in headers:
                headers.append('content-type', 'application/json')
        answer = _agora.fetch(method, origin, path or '/', query, headers._list, body)
        return Fetched(url, _must('fetch', 'fetch ' + url, answer))

env = _Env()

def _request():
    return Request()

def _event():
    return Event()

def _respond(value, name):
    kind = type(value)
    if kind is str or kind is bytes:
        value = Response(value)
    elif kind is dict or kind is list:
        value = Response.json(value)
    elif kind is not Response:
        if name != 'fetch' and value is None:
            value = Response(None, 204)
        else:
            raise TypeError(name + '() returned ' + ('None' if value is None else 'a ' + kind.__name__) + ', which is no Response: return Response(...) or Response.json(...), a str, bytes, a dict or a list')
    return value.status, value.headers._list, value.body or ''

for _name in ['Request', 'Response', 'Headers', 'AgoraError']:
    setattr(builtins, _name, globals()[_name])

def token(n=16):
    return ''.join(['0123456789abcdef'[b >> 4] + '0123456789abcdef'[b & 15] for b in _agora.random(n)])

def escape(text):
    return str(text).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replace('"', '&quot;').replace("'", '&#39;')
