// Shows times in the reader's zone, which is named. Without this script they are in UTC, and say so.
(() => {
  const parts = (t, options) => Object.fromEntries(new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options }).formatToParts(t).map((p) => [p.type, p.value]));
  const day = { year: "numeric", month: "2-digit", day: "2-digit" };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };
  const show = (root) => {
    for (const el of root.querySelectorAll("time[datetime]")) {
      const t = new Date(el.dateTime);
      if (isNaN(t) || el.dataset.shown === el.dateTime) continue;
      const p = parts(t, { ...day, ...clock });
      const full = `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second} ${p.timeZoneName}`;
      el.title = full;
      if (el.dataset.form === "full") el.textContent = full;
      if (el.dataset.form === "clock") el.textContent = `${p.hour}:${p.minute}:${p.second} ${p.timeZoneName}`;
      if (el.dataset.form === "day") el.textContent = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" }).format(t);
      el.dataset.shown = el.dateTime;
    }
  };
  document.addEventListener("DOMContentLoaded", () => show(document));
  document.addEventListener("htmx:load", (e) => show(e.detail.elt.parentNode || document));
})();
