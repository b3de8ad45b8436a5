// Three things that a page can't do without a script. Everything else works without it.
"use strict";

// The browser's time zone, for the server to show times in.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
const path = document.querySelector('link[rel="icon"]').getAttribute("href").replace(/static\/icon\.svg$/, "");
if (zone && !document.cookie.split("; ").includes("browser_zone=" + zone)) {
  const first = !document.cookie.includes("browser_zone=");
  document.cookie = "browser_zone=" + zone + "; path=" + path + "; max-age=31536000; samesite=strict";
  if (first && document.querySelector("time")) location.reload();
}

// A part that is live is replaced when the server says that it has changed. What has the focus keeps it.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  source.onmessage = (event) => {
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const address = active && active.getAttribute("href");
    if (active && active.tagName === "BUTTON") return;
    part.innerHTML = event.data;
    if (address) {
      const again = [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
      if (again) again.focus();
    }
  };
}

// A list that one chooses from acts at once.
const choice = document.querySelector("#zone");
if (choice) choice.addEventListener("change", () => choice.form.requestSubmit());
