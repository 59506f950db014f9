// Dialogs, and the one that goes anywhere: pages by name, everything else by the search.

export function dialog(title, fill) {
  const box = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.id = "dialog-title";
  heading.textContent = title;
  const body = document.createElement("div");
  body.className = "stack";
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => box.close());
  const stack = document.createElement("div");
  stack.className = "stack";
  stack.append(heading, body, close);
  box.append(stack);
  box.setAttribute("aria-labelledby", heading.id);
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });
  fill(body, box);
  document.body.append(box);
  box.showModal();
  return box;
}

export function openPalette(pages) {
  if (document.querySelector("dialog[open]")) return;
  dialog("Go anywhere", (body, box) => {
    box.classList.add("palette");
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "A page, a computer, a person…";
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-label", "Go to");
    field.setAttribute("aria-controls", "palette-list");
    field.setAttribute("aria-expanded", "true");
    field.autocomplete = "off";
    const list = document.createElement("ul");
    list.id = "palette-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Places");
    body.append(field, list);
    let places = [];
    let chosen = 0;

    const mark = () => {
      [...list.children].forEach((item, index) =>
        item.setAttribute("aria-selected", String(index === chosen)),
      );
      field.setAttribute("aria-activedescendant", `place-${chosen}`);
      list.children[chosen]?.scrollIntoView({ block: "nearest" });
    };
    const fill = () => {
      const text = field.value.trim();
      places = pages.filter(([, name]) => name.toLowerCase().includes(text.toLowerCase()));
      if (text) places.push([`/search?q=${encodeURIComponent(text)}`, `Search for “${text}”`]);
      chosen = 0;
      list.replaceChildren(
        ...places.map(([href, name], index) => {
          const item = document.createElement("li");
          item.id = `place-${index}`;
          item.setAttribute("role", "option");
          item.textContent = name;
          item.addEventListener("click", () => location.assign(href));
          return item;
        }),
      );
      mark();
    };
    field.addEventListener("input", fill);
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        chosen = (chosen + (event.key === "ArrowDown" ? 1 : places.length - 1)) % places.length;
        mark();
      } else if (event.key === "Enter" && places[chosen]) {
        location.assign(places[chosen][0]);
      } else {
        return;
      }
      event.preventDefault();
    });
    fill();
    queueMicrotask(() => field.focus());
  });
}
