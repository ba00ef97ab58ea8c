package gateway

import (
	"path"
	"strings"
)

// text is for types of text: without it, browsers assume another encoding.
const text = "; charset=utf-8"

// types are the media types by the extension of a file's name, those that the WHATWG and the IANA
// give: all that browsers load, and what people often put up for download. The table is the only
// source, so that a file has the same type on every machine.
var types = map[string]string{
	// Pages, and what they are made of.
	".html": "text/html" + text, ".htm": "text/html" + text, ".xhtml": "application/xhtml+xml", ".xht": "application/xhtml+xml",
	".css": "text/css" + text, ".js": "text/javascript" + text, ".mjs": "text/javascript" + text, ".cjs": "text/javascript" + text,
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json", ".importmap": "application/importmap+json",
	".jsonld": "application/ld+json", ".geojson": "application/geo+json", ".topojson": "application/json", ".ndjson": "application/x-ndjson", ".jsonl": "application/jsonl",
	".wasm": "application/wasm", ".xml": "application/xml", ".xsl": "text/xsl" + text, ".xslt": "application/xslt+xml", ".dtd": "application/xml-dtd",
	".atom": "application/atom+xml", ".rss": "application/rss+xml", ".appcache": "text/cache-manifest" + text,

	// Text.
	".txt": "text/plain" + text, ".text": "text/plain" + text, ".log": "text/plain" + text, ".md": "text/markdown" + text, ".markdown": "text/markdown" + text,
	".csv": "text/csv" + text, ".tsv": "text/tab-separated-values" + text, ".ics": "text/calendar" + text, ".ifb": "text/calendar" + text, ".vcf": "text/vcard" + text,
	".vtt": "text/vtt" + text, ".srt": "application/x-subrip", ".ttml": "application/ttml+xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
	".rtf": "application/rtf", ".asc": "text/plain" + text, ".bib": "text/plain" + text, ".tex": "text/x-tex" + text, ".sql": "application/sql", ".ini": "text/plain" + text,

	// Images.
	".svg": "image/svg+xml", ".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg", ".pjpeg": "image/jpeg",
	".pjp": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".avifs": "image/avif", ".heic": "image/heic", ".heif": "image/heif", ".jxl": "image/jxl",
	".ico": "image/x-icon", ".cur": "image/x-icon", ".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff",

	// Fonts.
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".ttc": "font/collection", ".otc": "font/collection", ".eot": "application/vnd.ms-fontobject",

	// Sound and film.
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".aac": "audio/aac", ".flac": "audio/flac", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
	".weba": "audio/webm", ".mid": "audio/midi", ".midi": "audio/midi", ".aif": "audio/aiff", ".aiff": "audio/aiff",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".mkv": "video/matroska", ".mpeg": "video/mpeg", ".mpg": "video/mpeg",
	".avi": "video/x-msvideo", ".3gp": "video/3gpp", ".m4s": "video/iso.segment", ".ts": "video/mp2t", ".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml",

	// Documents and archives.
	".pdf": "application/pdf", ".epub": "application/epub+zip", ".ps": "application/postscript",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt": "application/vnd.ms-powerpoint", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt": "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet", ".odp": "application/vnd.oasis.opendocument.presentation",
	".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip", ".tar": "application/x-tar", ".bz2": "application/x-bzip2", ".xz": "application/x-xz",
	".zst": "application/zstd", ".br": "application/x-brotli", ".7z": "application/x-7z-compressed", ".rar": "application/vnd.rar", ".jar": "application/java-archive",
	".parquet": "application/vnd.apache.parquet", ".sqlite": "application/vnd.sqlite3", ".gltf": "model/gltf+json", ".glb": "model/gltf-binary", ".stl": "model/stl", ".obj": "model/obj",
	".usdz": "model/vnd.usdz+zip", ".gpx": "application/gpx+xml", ".kml": "application/vnd.google-earth.kml+xml", ".kmz": "application/vnd.google-earth.kmz",
	".apk": "application/vnd.android.package-archive", ".mobileconfig": "application/x-apple-aspen-config", ".pkpass": "application/vnd.apple.pkpass",
	".eml": "message/rfc822", ".crt": "application/x-x509-ca-cert", ".pem": "application/x-pem-file", ".p7c": "application/pkcs7-mime",
}

// named are the types of files that have a name and no extension.
var named = map[string]string{
	"apple-app-site-association": "application/json", "openid-configuration": "application/json", "oauth-authorization-server": "application/json",
	"oauth-protected-resource": "application/json", "webauthn": "application/json", "nodeinfo": "application/json", "host-meta": "application/xrd+xml",
	"matrix/client": "application/json", "matrix/server": "application/json", "LICENSE": "text/plain" + text, "README": "text/plain" + text,
}

// contentType returns the media type of a file by its name. What is not known is not guessed: it
// is application/octet-stream, which browsers download.
func contentType(name string) string {
	if t, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	for _, known := range [...]string{path.Base(name), path.Join(path.Base(path.Dir(name)), path.Base(name))} {
		if t, ok := named[known]; ok {
			return t
		}
	}
	return "application/octet-stream"
}
