// Keyboard shortcuts. None fires in a field, none with a modifier but Ctrl/Cmd-K, all can be
// switched off on the account page.
import { dialog, openPalette } from "./palette.js";

const KEY = "rollcall-keys";
const GO = {
  h: ["/", "Home"],
  d: ["/devices", "Devices"],
  s: ["/software", "Software"],
  f: ["/findings", "Findings"],
  e: ["/enroll", "Enrol"],
  x: ["/exports", "Exports"],
  a: ["/account", "Account"],
};

let chord = 0;
let here = -1;

const enabled = () => localStorage.getItem(KEY) !== "off";
const inField = (node) =>
  node instanceof HTMLElement &&
  (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));
const rows = () =>
  [...document.querySelectorAll("[data-keys] tbody tr, ul[data-keys] > li, article.finding")].filter(
    (row) => !row.hidden,
  );

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  all[here]?.classList.remove("here");
  here = Math.min(all.length - 1, Math.max(0, here + step));
  all[here].classList.add("here");
  const link = all[here].querySelector("a");
  (link ?? all[here]).focus({ preventScroll: true });
  all[here].scrollIntoView({ block: "nearest" });
}

function help() {
  const list = [
    ["/", "Search"],
    ["Ctrl K", "Go anywhere"],
    ["j k", "Down and up in a list"],
    ["Enter", "Open"],
    ["x", "Remove the last filter"],
    ["Esc", "Leave a field or a dialog"],
    ["?", "This list"],
    ...Object.entries(GO).map(([key, [, name]]) => [`g ${key}`, name]),
  ];
  dialog("Keyboard shortcuts", (body) => {
    const facts = document.createElement("dl");
    facts.className = "facts";
    for (const [keys, about] of list) {
      const term = document.createElement("dt");
      for (const key of keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        term.append(cap, " ");
      }
      const what = document.createElement("dd");
      what.textContent = about;
      facts.append(term, what);
    }
    body.append(facts);
  });
}

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || !enabled()) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette(Object.values(GO));
    return;
  }
  if (inField(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const second = event.timeStamp - chord < 1500;
  chord = 0;
  if (second && GO[event.key]) {
    location.assign(GO[event.key][0]);
    return;
  }
  switch (event.key) {
    case "/":
      document.querySelector("#search")?.focus();
      break;
    case "?":
      help();
      break;
    case "g":
      chord = event.timeStamp;
      break;
    case "j":
      move(1);
      break;
    case "k":
      move(-1);
      break;
    case "x": {
      const chips = document.querySelectorAll(".chips a.chip.on");
      if (chips.length === 0) return;
      chips[chips.length - 1].click();
      break;
    }
    default:
      return;
  }
  event.preventDefault();
}

export function start() {
  document.addEventListener("keydown", pressed);
  document.querySelector("#show-keys")?.addEventListener("click", help);
  const box = document.querySelector("#keys-on");
  if (box) {
    box.checked = enabled();
    box.addEventListener("change", () => {
      if (box.checked) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, "off");
    });
  }
}
