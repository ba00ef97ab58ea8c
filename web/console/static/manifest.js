// Reads and writes the keys of a manifest that hold text, before its first table.

const value = String.raw`"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^#\n]*`
const line = new RegExp(String.raw`[ \t]*(?:([\w-]+)[ \t]*=[ \t]*(${value}))?[^\n]*(?:\n|$)`, "dy")
const header = /[ \t]*\[/y // of a table

// find returns where a key's value is, or, if there is no such key, where the first table begins.
function find(toml, key) {
  let at = 0
  while (at < toml.length) {
    line.lastIndex = header.lastIndex = at
    if (header.test(toml)) break
    const found = line.exec(toml)
    if (found[1] === key) return { from: found.indices[2][0], to: found.indices[2][1], text: found[2].trim() }
    at = line.lastIndex
  }
  return { table: at }
}

// get returns what a key holds, "" if it is not there.
export function get(toml, key) {
  const { text = "" } = find(toml, key)
  if (/^('''|""")/.test(text)) return text.slice(3, -3).replace(/^\r?\n/, "")
  if (text.startsWith("'")) return text.slice(1, -1)
  try {
    return String(JSON.parse(text))
  } catch {
    return text.replace(/^"|"$/g, "")
  }
}

// set returns the manifest with a key that holds a text; one that is not there comes before the
// first table.
export function set(toml, key, text) {
  const written = JSON.stringify(text).replaceAll("\x7f", "\\u007f")
  const { from, to, table } = find(toml, key)
  if (table === undefined) return toml.slice(0, from) + written + toml.slice(to)
  const before = toml.slice(0, table).trimEnd(), after = toml.slice(table)
  return (before && before + "\n") + `${key} = ${written}\n` + (after && "\n" + after)
}
