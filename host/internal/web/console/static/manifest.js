// Reads and writes the keys of a manifest that hold text, before its first table.

const value = String.raw`("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^#\n]*)`

// head is what stands before the first table.
function head(toml) {
  const table = toml.search(/^[ \t]*\[/m)
  return table < 0 ? toml : toml.slice(0, table)
}

const find = (toml, key) => new RegExp(String.raw`^([ \t]*${key}[ \t]*=[ \t]*)${value}`, "m").exec(head(toml))

// get returns what a key holds, "" if it is not there.
export function get(toml, key) {
  const text = find(toml, key)?.[2].trim() ?? ""
  if (/^('''|""")/.test(text)) return text.slice(3, -3).replace(/^\r?\n/, "")
  if (text.startsWith("'")) return text.slice(1, -1)
  try {
    return String(JSON.parse(text))
  } catch {
    return text.replace(/^"|"$/g, "")
  }
}

// set returns the manifest with a key that holds a text; one that is not there comes to the end of
// the head.
export function set(toml, key, text) {
  const written = JSON.stringify(text).replaceAll("\x7f", "\\u007f")
  const found = find(toml, key)
  if (found) return toml.slice(0, found.index) + found[1] + written + toml.slice(found.index + found[0].length)
  const before = head(toml), after = toml.slice(before.length)
  return before.replace(/\s*$/, before.trim() ? "\n" : "") + `${key} = ${written}\n` + (after && "\n") + after
}
