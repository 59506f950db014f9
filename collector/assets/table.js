// A box that narrows a table on the page while one types: <input data-filter="#table">.

for (const box of document.querySelectorAll("[data-filter]")) {
  const table = document.querySelector(box.dataset.filter);
  if (!table) continue;
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const count = document.querySelector("[data-filter-count]");
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    if (count) count.textContent = `${shown} of ${rows.length}`;
  });
  box.form?.addEventListener("submit", (event) => event.preventDefault());
}
