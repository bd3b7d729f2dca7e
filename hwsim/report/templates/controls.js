(() => {
  "use strict";
  // numbers are compared as numbers, with their unit prefix if a cell has one
  const value = (cell) => {
    const text = cell?.textContent.trim() ?? "";
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const order = (a, b) =>
    typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;

  const sort = (table, heading) => {
    const column = [...heading.parentElement.children].indexOf(heading);
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => order(value(a.cells[column]), value(b.cells[column])) * (descending ? -1 : 1));
    table.tBodies[0].append(...rows);
  };

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement.style;
    const dark = root.colorScheme ? root.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.colorScheme = dark ? "light" : "dark";
  });

  for (const table of document.querySelectorAll("table:not(.comparison)")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.append(...heading.childNodes);
      button.className = "sort";
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
    }
    if (table.tBodies[0].rows.length < 8) continue;
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "search this table";
    search.setAttribute("aria-label", `search: ${table.caption.textContent}`);
    search.addEventListener("input", () => {
      const wanted = search.value.toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    table.parentElement.before(search);
  }
})();
