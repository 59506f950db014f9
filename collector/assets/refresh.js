// Keeps "12 min ago" true while the page is open: <time datetime="…" data-ago>.

const steps = [
  [60, 1, ""],
  [3600, 60, "min"],
  [172800, 3600, "h"],
  [5184000, 86400, "days"],
  [63072000, 2592000, "months"],
  [Infinity, 31536000, "years"],
];
const opened = performance.now();
// The page's own time counts, not this computer's clock.
const page = Date.parse(document.querySelector(".foot time")?.dateTime ?? "");

function words(seconds) {
  const far = Math.abs(seconds);
  const [, unit, name] = steps.find(([limit]) => far < limit);
  if (!name) return "just now";
  const count = Math.floor(far / unit);
  return seconds < -60 ? `in ${count} ${name}` : `${count} ${name} ago`;
}

if (!Number.isNaN(page)) {
  setInterval(() => {
    const now = page + (performance.now() - opened);
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = words((now - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 30000);
}
