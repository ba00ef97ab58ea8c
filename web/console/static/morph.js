// Brings a part of a page up to date, and changes only what is different: elements stay the same
// ones, so that scroll positions, focus and selections stay, too.

// held reports whether the reader is at something: it has the focus, or selected text.
function held(node) {
  const at = document.activeElement, selection = getSelection()
  return (at !== document.body && node.contains(at)) || (!selection.isCollapsed && selection.containsNode(node, true))
}

const kin = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.id === b.id

// morph makes old look like fresh. What the reader holds keeps its text until it is let go.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (!held(old)) old.data = fresh.data
    return
  }
  attributes(old, fresh)
  if (old.hasAttribute("data-append")) append(old, fresh)
  else if (["OL", "UL", "TBODY"].includes(old.nodeName)) rows(old, fresh)
  else children(old, fresh)
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name)
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value) // the reader opens and closes
  }
}

function drop(node) {
  if (!held(node)) node.remove()
}

// dropTo drops siblings from one to another, which stays; null for all that follow.
function dropTo(at, to) {
  while (at !== to) {
    const next = at.nextSibling
    drop(at)
    at = next
  }
}

function children(old, fresh) {
  let at = old.firstChild
  for (const node of [...fresh.childNodes]) {
    if (at && kin(at, node)) {
      morph(at, node)
      at = at.nextSibling
    } else {
      old.insertBefore(document.importNode(node, true), at)
    }
  }
  dropTo(at, null)
}

// rows brings a list up to date: a row that stands further down has moved up.
function rows(old, fresh) {
  const wanted = [...fresh.children]
  let at = old.firstElementChild
  wanted.forEach((row, i) => {
    let same = at
    while (same && !same.isEqualNode(row)) same = same.nextElementSibling
    if (same) {
      dropTo(at, same)
      at = same.nextElementSibling
    } else if (at && kin(at, row) && !wanted.slice(i + 1).some(later => later.isEqualNode(at))) {
      morph(at, row)
      at = at.nextElementSibling
    } else {
      old.insertBefore(document.importNode(row, true), at)
    }
  })
  dropTo(at, null)
}

const atEnd = list => list.scrollHeight - list.scrollTop - list.clientHeight < 8

export function toEnd(list) {
  list.scrollTop = list.scrollHeight
}

// most is how many rows stay of a list that its reader does not let go.
const most = 2000

// append adds the rows of a log that are new, known by data-key. It follows while the reader is at
// the end; to a reader who is further up nothing moves, and nothing goes.
function append(old, fresh) {
  const following = atEnd(old) && !held(old.lastElementChild ?? old)
  const have = [...old.children], next = [...fresh.children]
  let same = Math.min(have.length, next.length)
  while (same > 0 && !next.slice(0, same).every((row, i) => row.dataset.key === have[have.length - same + i].dataset.key)) same--
  if (same === 0 && have.length > 0 && next.length > 0) {
    const gap = document.createElement("li")
    gap.className = "gap"
    gap.textContent = "… lines between these are not shown: reload, or ask with agora logs"
    old.append(gap)
  }
  for (const row of next.slice(same)) old.append(document.importNode(row, true))
  if (!following && old.children.length < most) return
  for (const row of have.slice(0, Math.max(0, old.children.length - Math.max(next.length, 1)))) drop(row)
  if (following) toEnd(old)
}
