// A person comes from an app, and goes back to it. What stands after the # in the app's address stays in
// this browser: it is kept before the sign-in and added after it, and no server sees it.
(() => {
  const page = document.getElementById("sign-on");
  const key = "sign-on " + page.dataset.state;
  if ("keeps" in page.dataset) {
    try { sessionStorage.setItem(key, location.hash); } catch { /* the app opens without it */ }
    location.replace(page.dataset.next);
    return;
  }
  let hash = "";
  try {
    hash = sessionStorage.getItem(key) ?? "";
    sessionStorage.removeItem(key);
  } catch { /* likewise */ }
  location.replace(page.dataset.next + hash);
})();
