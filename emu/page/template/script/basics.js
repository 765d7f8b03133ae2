/* SPDX-License-Identifier: MIT */
/*
 * What all parts of the page use: its data, elements of text, tables.
 *
 * What stands in the data is text, whoever chose it: nothing here makes markup of a string.
 */
const ROW_PX = 22;
const ROWS_BEYOND = 20; /* drawn above and below what is seen */
const PAGE_SHIFT = 12n;
const LARGE = 512; /* pages in 2 MiB: a row of the map */
const CHECKPOINTS = 32;
const ROWS_AT_ONCE = 256;
const RANGES_MAX = 2000;
const SOURCE_AROUND = 60;
const PERMISSIONS = "rwusS"; /* read, write, execute at CPL 3, below it, shadow stack */
const VMPLS = "VMPL0 VMPL1 VMPL2 VMPL3";

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const events = JSON.parse($("events").textContent);

function element(name, properties, ...children) {
  const made = document.createElement(name);

  for (const [key, value] of Object.entries(properties || {})) {
    if (key.includes("-") || key === "role" || key === "for" || key === "colspan") {
      made.setAttribute(key, value);
    } else {
      made[key] = value;
    }
  }
  made.append(...children);
  return made;
}

function fill(parent, ...children) {
  parent.replaceChildren(...children);
}

const figures = new Intl.NumberFormat("en-US");

function count(number) {
  return figures.format(number);
}

function plural(number, one, many) {
  return count(number) + " " + (number === 1 ? one : many);
}

function hex(value) {
  return "0x" + value.toString(16);
}

/* Control characters can be seen, and none of them changes how the rest is shown. */
function visible(text, keep) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);

    if (keep && (c === "\n" || c === "\t")) {
      return c;
    }
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd";
  });
}

function action(text, act, properties) {
  const button = element("button", {type: "button", className: "link", ...properties}, text);

  button.addEventListener("click", act);
  return button;
}

function table_head(...names) {
  return element("thead", {}, element("tr", {}, ...names.map((name) =>
    element("th", {scope: "col", className: name.startsWith("#") ? "figure" : name === VMPLS ? "permissions" : ""},
      name.replace("#", "")))));
}

function table_row(...cells) {
  return element("tr", {}, ...cells.map((cell) =>
    typeof cell === "number" ? element("td", {className: "figure"}, count(cell))
                             : element("td", {}, cell)));
}

/* Rows that are added a part at a time, so that many of them hold nothing up. */
function add_rows(body, rows) {
  let next = 0;

  function add() {
    const some = [];

    for (const end = Math.min(next + ROWS_AT_ONCE, rows.length); next < end; next++) {
      some.push(rows[next]());
    }
    body.append(...some);
    if (next < rows.length && body.isConnected) {
      requestAnimationFrame(add);
    }
  }
  add();
}
