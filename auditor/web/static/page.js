// Keeps the page true: shows its age, fetches a newer one, and says so when the auditor does not answer.
"use strict";
(() => {
  const page = () => document.getElementById("page");
  const interval = () => Math.max(2, Number(page().dataset.interval) || 60);
  let failed = false;
  let etag = null;

  function age() {
    const taken = page().dataset.taken;
    const place = document.getElementById("age");
    if (!taken || !place) return;
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(taken)) / 1000));
    const [number, unit] =
      seconds < 120 ? [seconds, "s"] : seconds < 7200 ? [Math.floor(seconds / 60), "min"] : [Math.floor(seconds / 3600), "h"];
    place.textContent = ` · ${number} ${unit} ago`;
  }

  function lost(state) {
    failed = state;
    const banner = document.getElementById("lost");
    if (banner) banner.hidden = !state;
    document.body.classList.toggle("lost", state);
  }

  function opened() {
    return [...document.querySelectorAll("details")].map((item) => item.open);
  }

  function replace(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const next = fresh.getElementById("page");
    if (!next) return;
    const focused = document.activeElement && document.activeElement.getAttribute("href");
    const before = opened();
    page().replaceWith(next);
    document.title = fresh.title;
    const details = [...document.querySelectorAll("details")];
    if (details.length === before.length) details.forEach((item, at) => (item.open = before[at]));
    if (focused) {
      const again = [...document.querySelectorAll("a")].find((item) => item.getAttribute("href") === focused);
      if (again) again.focus({ preventScroll: true });
    }
    age();
  }

  async function refresh() {
    try {
      const answer = await fetch("/", { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        etag = answer.headers.get("ETag");
        replace(await answer.text());
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      lost(false);
    } catch {
      lost(true);
    }
    setTimeout(refresh, (failed ? 5 : Math.min(15, Math.max(2, interval() / 4))) * 1000);
  }

  age();
  setInterval(age, 1000);
  setTimeout(refresh, page().dataset.taken ? 2000 : 1000);
})();
