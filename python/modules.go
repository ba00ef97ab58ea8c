package python

import "strings"

func set(names string) map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		all[name] = true
	}
	return all
}

// builtIn are the modules that are in the engine.
var builtIn = set(`agora bisect builtins cmath collections dataclasses datetime enum functools gc heapq itertools json math
operator random sys time traceback typing`)

// standard are those of CPython's standard library.
var standard = set(`abc aifc argparse array ast asyncio atexit audioop base64 bdb binascii bisect builtins bz2 calendar cgi cgitb
chunk cmath cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg
cProfile crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum
errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib grp gzip
hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache
locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder multiprocessing netrc nis nntplib numbers operator
optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile
pstats pty pwd py_compile pyclbr pydoc queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select
selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 ssl stat statistics string
stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test textwrap
threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle types typing unicodedata unittest
urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib
zoneinfo __future__`)

// instead says what to use in place of a module that makers look for.
var instead = map[string]string{
	"requests": "Use env.fetch(url, method=..., headers=..., body=...): docs/python.md.",
	"httpx":    "Use env.fetch(url, method=..., headers=..., body=...): docs/python.md.",
	"urllib":   "Use env.fetch(url) to ask others; request.query and request.form() are decoded already: docs/python.md.",
	"http":     "Write def fetch(request, env), and use env.fetch(url) to ask others: docs/python.md.",
	"socket":   "Use env.fetch(url): docs/python.md.",
	"flask":    "Write def fetch(request, env), and look at request.method and request.path: docs/python.md.",
	"fastapi":  "Write def fetch(request, env), and look at request.method and request.path: docs/python.md.",
	"django":   "Write def fetch(request, env), and look at request.method and request.path: docs/python.md.",
	"os":       "Settings are in env.config, secrets in env.SECRETS, and there are no files: docs/python.md.",
	"sqlite3":  "Use env.KV and env.BLOB: docs/python.md.",
	"logging":  "Use print(): it writes to the app's log.",
	"asyncio":  "Handlers are plain functions; the calls of env wait by themselves: docs/python.md.",
	"openai":   "Use env.LLM.chat({...}): docs/python.md.",
	"uuid":     "Use agora.token(): from agora import token.",
	"secrets":  "Use agora.token(): from agora import token.",
	"html":     "Use agora.escape(): from agora import escape.",
}
