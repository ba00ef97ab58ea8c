// Keys of the page of requests: they move, and lead to a form. No key decides: that takes the form's button.
const dialog = document.getElementById("keys");
const all = () => [...document.querySelectorAll("article.request")];
let at = null;

const typing = (el) => el instanceof Element && (el.matches("input:not([type=checkbox]), textarea, select") || el.isContentEditable);

const move = (by) => {
  const list = all();
  if (!list.length) return;
  const next = list[Math.min(Math.max(list.indexOf(at) + by, 0), list.length - 1)];
  list.forEach((el) => el.toggleAttribute("data-at", el === next));
  at = next;
  at.tabIndex = -1;
  at.focus({ preventScroll: true });
  at.scrollIntoView({ block: "start" });
};

const form = (verdict) => {
  const field = at?.querySelector(`form input[name=verdict][value=${verdict}]`)?.form.querySelector("textarea");
  if (!field) return;
  const fold = field.closest("details");
  if (fold) fold.open = true;
  field.focus();
};

const keys = {
  j: () => move(1),
  k: () => move(-1),
  a: () => form("approve"),
  r: () => form("reject"),
  o: () => at?.querySelector(".facts a[href*='/releases/']")?.click(),
  x: () => {
    const box = at?.querySelector("input[type=checkbox][name=part]");
    if (!box) return;
    box.checked = !box.checked;
    document.getElementById("together").open = true;
  },
  "?": () => dialog.showModal(),
};

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || dialog.open) return;
  if (typing(e.target)) {
    if (e.key === "Escape" && at) at.focus();
    return;
  }
  const key = e.key === "Enter" && e.target === at ? "o" : e.key;
  if (!Object.hasOwn(keys, key)) return;
  e.preventDefault();
  keys[key]();
});
