// The view of a split document: a click on a clause says why it has its label, and corrects it.
//
// It is part of a report, which has no other script, and a module of the service's page. Texts are only read from the
// document and set as text, never as markup.

/** The columns of a file of corrections, for `outsort merge`. */
export const COLUMNS = ["key", "text", "model_label", "label", "service_line", "reviewer", "decided_at"];
const FIELDS = ["key", "weight", "proba", "line", "reason", "for", "against"];

/** Return the answers to the clauses of a document, in the order of the rows of its table. */
export function clausesOf(article) {
  return [...article.querySelectorAll(".text .clause")].map((node) => {
    const told = (node.dataset.why ?? "").split("\t");
    const fields = Object.fromEntries(FIELDS.map((name, i) => [name, told[i] ?? ""]));
    const next = fields.proba.split("; ").filter(Boolean).map((one) => {
      const [, p, label] = /^(\S+) (.*)$/s.exec(one);
      return [label, Number(p)];
    });
    const [label, p] = next.shift() ?? ["", 0];
    const decision = fields.reason && Number(fields.weight) ? "review" : "accept";
    return { ...fields, node, text: node.textContent, label, p, next, decision };
  });
}

/** Make a document usable; `kept` keeps its corrections, in this browser if it is not given.
 *  Returns a function that shows what changed in `kept`. */
export function show(article, kept = null) {
  const $ = (selector) => article.querySelector(selector);
  const clauses = clausesOf(article), rows = clauses.filter(({ label }) => label);
  const byNode = new Map(rows.map((row, i) => [row.node, i]));
  const own = kept ? null : keptHere(article.dataset.id);
  const store = kept ?? own;
  let active = 0, isOpen = false;

  function redraw() {
    for (const { node, text, key } of rows) {
      const label = store.get(text, key)?.label;
      if (node.dataset.corrected !== label) label ? (node.dataset.corrected = label) : delete node.dataset.corrected;
    }
    if (isOpen) why();
    if (own) count();
  }

  function why() {
    const row = rows[active], correction = store.get(row.text, row.key);
    // At the bottom of a narrow screen the answer covers what is there.
    if (getComputedStyle($(".why")).position === "fixed") row.node.scrollIntoView({ block: "start" });
    const badge = Object.assign(document.createElement("span"), { textContent: row.label });
    badge.className = `badge ${hueOf(row.label)}`;
    const line = row.line ? `, ${row.line.replaceAll("_", " ")}` : "";
    $(".answer").replaceChildren(badge, `${percent(row.p)}${line}`);
    $(".state").textContent = row.reason ? `to review: ${row.reason}` : "accepted";
    $(".state").className = `state ${row.reason ? "review" : ""}`;
    $("blockquote").textContent = row.text;
    $(".why select").value = correction?.label ?? "";
    const facts = [
      ["Says the work", Number(row.weight) ? percent(Number(row.weight)) : "no: boilerplate, does not count"],
      ["Next labels", row.next.map(([label, p]) => `${label} ${percent(p)}`).join(", ")],
      ...["for", "against"].map((side) => [`Terms ${side} ${row.label}`, row[side] || "none"]),
    ];
    if (!Number(row.weight)) facts.splice(2); // terms would explain a label that does not count
    $("dl").replaceChildren(...facts.flatMap((fact) => fact.map((text, i) => element(i ? "dd" : "dt", text))));
  }

  const hueOf = (label) => {
    const known = [...article.querySelectorAll(".legend .clause")].find((node) => node.textContent === label);
    return known?.classList[1] ?? "unknown";
  };

  function open(place, isByKey) {
    move(place);
    isOpen = true;
    $(".why").hidden = false;
    why();
    if (isByKey) $(".why").focus({ preventScroll: true });
  }

  function close() {
    isOpen = false;
    $(".why").hidden = true;
    rows[active].node.removeAttribute("aria-current");
    rows[active].node.focus({ preventScroll: true });
  }

  function move(place) {
    rows[active].node.tabIndex = -1;
    rows[active].node.removeAttribute("aria-current");
    active = Math.min(rows.length - 1, Math.max(0, place));
    rows[active].node.tabIndex = 0;
    rows[active].node.setAttribute("aria-current", "true");
  }

  function correct(label) {
    const row = rows[active];
    store.set({ ...row, row: clauses.indexOf(row) }, label, label === row.label ? row.line : "");
    redraw();
  }

  function corrected() {
    const found = new Map();
    for (const row of rows) if (store.get(row.text, row.key)) found.set(row.key, row);
    return [...found.values()];
  }

  function count() {
    const n = corrected().length;
    $(".count").textContent = `${n} correction${n === 1 ? "" : "s"}`;
    $(".kept").textContent = own.isKept() ? "Kept in this browser." : "Not kept: download them before you close the page.";
    $(".save").disabled = $(".forget").disabled = n === 0;
  }

  function saveCorrections() {
    const reviewer = $(".corrections input").value.trim();
    const cells = corrected().map((row) => {
      const { label, line, at } = own.get(row.text, row.key);
      return [row.key, row.text, row.label, label, line, reviewer, at];
    });
    save(csv([COLUMNS, ...cells]), "corrections.csv");
  }

  $(".side").hidden = false;
  if (!rows.length) return () => {};
  for (const { node, label, p, weight } of rows) {
    node.setAttribute("role", "button");
    node.setAttribute("aria-description", Number(weight) ? `${label}, ${percent(p)}` : "boilerplate");
    node.tabIndex = -1;
  }
  rows[0].node.tabIndex = 0;
  const placeOf = (event) => byNode.get(event.target.closest(".clause"));
  $(".text").addEventListener("click", (event) => {
    if (placeOf(event) !== undefined && getSelection().isCollapsed) open(placeOf(event), false);
  });
  $(".text").addEventListener("keydown", (event) => {
    if (placeOf(event) === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key in steps) {
      move(placeOf(event) + steps[event.key]);
      rows[active].node.focus();
      if (isOpen) why();
    } else if (event.key === "Enter" || event.key === " ") open(placeOf(event), true);
    else return;
    event.preventDefault();
  });
  article.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen) close();
  });
  article.addEventListener("click", (event) => {
    // A change of the address would be a page of its own in the browser's history.
    const target = event.target.closest("a")?.getAttribute("href")?.slice(1);
    if (!target) return;
    event.preventDefault();
    document.getElementById(target).scrollIntoView();
  });
  $(".close").addEventListener("click", close);
  $(".why select").addEventListener("change", (event) => correct(event.target.value));
  if (own) {
    $(".corrections").hidden = false;
    $(".save").addEventListener("click", saveCorrections);
    $(".forget").addEventListener("click", () => {
      if (!confirm("Forget all corrections of this document? This cannot be undone.")) return;
      own.clear();
      redraw();
    });
  }
  redraw();
  return redraw;
}

/** Keep corrections in the browser under keys of texts, as far as it keeps anything. */
function keptHere(id) {
  const name = `outsort:${id}`;
  let found = {}, isKept = true;
  try {
    found = JSON.parse(localStorage.getItem(name)) ?? {};
  } catch {
    isKept = false; // storage is blocked
  }
  const write = () => {
    try {
      if (Object.keys(found).length) localStorage.setItem(name, JSON.stringify(found));
      else localStorage.removeItem(name);
    } catch {
      isKept = false; // or full
    }
  };
  return {
    isKept: () => isKept,
    get: (text, key) => (Object.hasOwn(found, key) ? found[key] : undefined),
    set: ({ key }, label, line) => {
      if (label) found[key] = { label, line, at: new Date().toISOString() };
      else delete found[key];
      write();
    },
    clear: () => {
      found = {};
      write();
    },
  };
}

function element(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

export const percent = (p) => (p > 0.995 ? ">99%" : p < 0.005 ? "<1%" : `${Math.round(100 * p)}%`);

/** Return rows of cells as a CSV file. */
export function csv(rows) {
  const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return new Blob([rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" });
}

/** Let the browser download a blob. */
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
