// Buttons that copy a value: <button data-copy="value">.

const said = document.createElement("span");
said.className = "sr";
said.setAttribute("role", "status");
document.body.append(said);

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without https there is no clipboard: let the browser copy a selection.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const path = button.querySelector("path");
  const before = path?.getAttribute("d");
  try {
    await copy(button.dataset.copy);
    said.textContent = "Copied";
    path?.setAttribute("d", "M2.8 8.6l3.4 3.4 7-8");
  } catch {
    said.textContent = "The browser did not allow copying; select the text and copy it by hand";
    button.title = said.textContent;
  }
  setTimeout(() => {
    path?.setAttribute("d", before);
    said.textContent = "";
  }, 1600);
});
