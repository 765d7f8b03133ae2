/* SPDX-License-Identifier: MIT */
/*
 * Shows the data of the page. What stands in the data is text, whoever chose it: nothing here makes
 * markup of a string.
 */
(function () {
"use strict";

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

/* ---- small things ---- */

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

/* ---- events ---- */

function cpu_name(event) {
  return "cpu" + event.vcpu + (event.vmpl ? ".vmpl" + event.vmpl : "");
}

function field_text(event) {
  return Object.entries(event.fields).map(([key, value]) => key + "=" + value).join(" ");
}

function event_name(event) {
  return event.event + (event.topic ? " " + event.topic : "");
}

function event_line(event) {
  return visible(event.words || (event_name(event) + " " + field_text(event)));
}

const sides = {exit: "exit", reply: "reply", oracle: "bad", nested_fault: "bad", denied: "bad", outcome: "inside"};

function event_side(event) {
  return sides[event.event] || (event.words ? "inside" : "quiet");
}

/* "svsm_panic+0x1c, svsm/panic.c:77"; where functions were inlined the innermost comes first. */
function place_text(place) {
  const where = place.symbol ? place.symbol + "+" + hex(place.offset) : place.gva;
  const lines = place.lines.map((line, at) => (at ? "inlined at " : "") + line_file(line) + ":" + line.line +
    (line.function && at + 1 < place.lines.length ? " in " + line.function : ""));

  return visible([where, ...lines].join(", "));
}

/* As it is called below the directory where it was found. */
function line_file(line) {
  const source = facts.sources[line.source];

  return source ? source.path : line.path;
}

let haystacks = null;

function haystack(index) {
  const event = events[index];

  return [event_name(event), cpu_name(event), event.rip, event.symbol || "", event.words || "",
    field_text(event), event.place === undefined ? "" : place_text(facts.places[event.place]), event.time].join(" ").toLowerCase();
}

function matches(text) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word);
  const found = [];

  haystacks = haystacks || events.map((event, index) => haystack(index));
  for (let i = 0; i < events.length; i++) {
    if (words.every((word) => haystacks[i].includes(word))) {
      found.push(i);
    }
  }
  return found;
}

/* ---- the list ---- */

const list = $("list"), spacer = $("spacer");
let shown = null; /* numbers of the events in the list; null: all */
let selected = -1; /* number of an event */
const drawn = new Map(); /* place in the list -> row */

function shown_count() {
  return shown ? shown.length : events.length;
}

function shown_event(at) {
  return shown ? shown[at] : at;
}

/* Where an event stands in the list, or where it would. */
function shown_at(index) {
  let low = 0, high;

  if (!shown) {
    return index;
  }
  for (high = shown.length; low < high;) {
    const middle = (low + high) >> 1;

    if (shown[middle] < index) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function rung(event) {
  const words = element("span", {className: "words"}, event_line(event));
  const side = event_side(event);
  const wire = side === "exit" || side === "reply" ? [element("span", {className: "wire"})] : [];

  return element("span", {className: "c-rung"}, words, ...wire);
}

function make_row(at) {
  const index = shown_event(at), event = events[index];
  const row = element("div", {
    className: "row rung-" + event_side(event), id: "event-" + index, role: "option",
    "aria-setsize": shown_count(), "aria-posinset": at + 1,
    "aria-selected": index === selected ? "true" : "false",
  },
  element("span", {className: "c-number"}, count(index)),
  element("span", {className: "c-time"}, count(event.time)),
  element("span", {className: "c-cpu"}, cpu_name(event)),
  element("span", {className: "c-symbol"}, visible(event.symbol || "")),
  rung(event));

  row.style.top = at * ROW_PX + "px";
  row.dataset.index = index;
  return row;
}

function draw_list() {
  const total = shown_count();
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_PX) - ROWS_BEYOND);
  const end = Math.min(total, Math.ceil((list.scrollTop + list.clientHeight) / ROW_PX) + ROWS_BEYOND);
  const fresh = document.createDocumentFragment();
  const kept = selected < 0 ? -1 : shown_at(selected); /* what has the focus stays, wherever it is */

  for (const [at, row] of drawn) {
    if ((at < first || at >= end) && at !== kept) {
      row.remove();
      drawn.delete(at);
    }
  }
  for (let at = first; at < end; at++) {
    if (!drawn.has(at)) {
      const row = make_row(at);

      drawn.set(at, row);
      fresh.append(row);
    }
  }
  list.append(fresh);
}

function redraw_list() {
  for (const row of drawn.values()) {
    row.remove();
  }
  drawn.clear();
  spacer.style.height = shown_count() * ROW_PX + "px";
  draw_list();
}

function mark_row(index, on) {
  const row = drawn.get(shown_at(index));

  if (row && Number(row.dataset.index) === index) {
    row.setAttribute("aria-selected", on ? "true" : "false");
  }
}

/* Into view, in the middle when it is far away. */
function show_row(index) {
  const top = shown_at(index) * ROW_PX, height = list.clientHeight;

  if (top < list.scrollTop - height || top > list.scrollTop + 2 * height) {
    list.scrollTop = top - height / 2;
  } else if (top < list.scrollTop) {
    list.scrollTop = top;
  } else if (top + ROW_PX > list.scrollTop + height) {
    list.scrollTop = top + ROW_PX - height;
  }
  draw_list();
}

function select(index, keep_view) {
  if (!events.length) {
    return;
  }
  index = Math.max(0, Math.min(events.length - 1, index));
  if (shown && shown[shown_at(index)] !== index) {
    show_all(); /* it is not among what was found */
  }
  if (selected >= 0) {
    mark_row(selected, false);
  }
  selected = index;
  if (!keep_view) {
    show_row(index);
  }
  mark_row(index, true);
  list.setAttribute("aria-activedescendant", "event-" + index);
  go_to(index);
  show_event(index);
  show_memory(index);
}

/* Further in the list, from wherever the selected event is or would be. */
function move(by) {
  const at = shown_at(selected);
  const here = shown && shown[at] !== selected && by > 0 ? at - 1 : at;

  if (shown_count()) {
    select(shown_event(Math.max(0, Math.min(shown_count() - 1, here + by))));
  }
}

function show_found() {
  $("found").textContent = (shown ? count(shown.length) + " of " : "") + plural(events.length, "event", "events");
  redraw_list();
}

function show_all() {
  $("search").value = "";
  shown = null;
  show_found();
}

function search(text) {
  shown = text.trim() ? matches(text) : null;
  show_found();
  if (shown && shown.length && shown[shown_at(selected)] !== selected) {
    list.scrollTop = 0;
    select(shown[Math.min(shown_at(selected), shown.length - 1)]);
  } else {
    show_row(selected);
  }
}

/* ---- the selected event ---- */

/* Its reply, or the exit that it replies to; -1: there is none. */
function partner(index) {
  const event = events[index];
  const step = event.event === "exit" ? 1 : event.event === "reply" ? -1 : 0;
  const other = events[index + step];

  return step && other && other.topic === event.topic &&
    other.event === (step > 0 ? "reply" : "exit") && other.vcpu === event.vcpu ? index + step : -1;
}

const PAIR_WIDE = 22; /* characters that a column of pairs has room for */

function pair(key, value, ...more) {
  const text = visible(value, true);

  return element("div", {className: key.length + text.length + 16 * more.length > PAIR_WIDE ? "wide" : ""},
    element("dt", {}, key), element("dd", {}, text, ...more));
}

/* An address of a page says whose that is at the event. */
function field_pair(key, value) {
  const where = (key === "gpa" || key === "other") && typeof value === "string" ? page_of(value) : -1;

  return where < 0 ? pair(key, value)
    : pair(key, value, " ", element("span", {className: "dim"}, kind_of(state_of(where)).name));
}

const lines_of = new Map();

function source_lines(number) {
  if (!lines_of.has(number)) {
    lines_of.set(number, facts.sources[number].text.split("\n"));
  }
  return lines_of.get(number);
}

function show_source({source, line}) {
  const lines = source_lines(source);
  const first = Math.max(1, line - SOURCE_AROUND), end = Math.min(lines.length, line + SOURCE_AROUND);
  const numbers = [];
  const part = (from, to) => visible(lines.slice(from - 1, to).join("\n"), true);

  if (line > lines.length) {
    return element("p", {className: "dim"}, "The file has only " + plural(lines.length, "line", "lines") +
      ": it is not the one that the image was made from.");
  }
  for (let i = first; i <= end; i++) {
    numbers.push(i);
  }
  return element("div", {className: "source", tabIndex: 0, role: "group", "aria-label": "Source"},
    element("pre", {className: "numbers"}, numbers.join("\n")),
    element("pre", {className: "code"}, line > first ? part(first, line - 1) + "\n" : "",
      element("mark", {}, part(line, line) || " "), line < end ? "\n" + part(line + 1, end) : ""));
}

/* Let the marked line stand in the upper third. */
function scroll_source(box) {
  for (const source of box.querySelectorAll(".source")) {
    const mark = source.querySelector("mark");

    source.scrollTop = Math.max(0, mark.offsetTop - source.offsetTop - source.clientHeight / 3);
  }
}

function show_place(label, place) {
  const box = element("div", {className: "place"});

  if (!place) {
    return box;
  }
  box.append(element("p", {}, element("span", {className: "dim"}, label), " ", place_text(place)));
  for (const line of place.lines) {
    if (line !== place.lines[0]) {
      box.append(element("p", {className: "dim"}, "inlined at " + visible(line_file(line)) + ":" + line.line));
    }
    box.append(line.source !== undefined ? show_source(line)
      : element("p", {className: "dim"}, visible(line_file(line)) + " could not be read when this page was made."));
  }
  return box;
}

function show_event(index) {
  const event = events[index], other = partner(index), places = $("places");
  const links = [];

  $("event-title").textContent = count(index) + "  " + event_name(event);
  $("event-words").textContent = visible(event.words || "");
  fill($("fields"), ...Object.entries(event.fields).map(([key, value]) => field_pair(key, value)),
    pair("rip", event.rip + ", " + cpu_name(event) + " at VMPL" + event.vmpl + ", after " +
      plural(event.time, "instruction", "instructions")));
  if (other >= 0) {
    links.push(action(event.event === "exit" ? "its reply" : "its exit", () => select(other)));
  }
  fill($("event-links"), ...links);
  fill(places, show_place("in", facts.places[event.place]));
  if (event.other_place !== undefined) {
    places.append(show_place("other", facts.places[event.other_place]));
  }
  scroll_source(places);
}

/* ---- memory: what each page is at an event ---- */

const memory = facts.memory;
const slots = memory.slots.map(([gpa, pages, first]) => ({gpa: BigInt(gpa), pages, first}));
const page_count = slots.reduce((sum, slot) => Math.max(sum, slot.first + slot.pages), 0);
const changes = memory.changes; /* [event, first time, last time, page, count, state] */
const now = new Uint16Array(page_count); /* the state of each page, once `applied` changes came */
let applied = 0;
const checkpoints = [];

function apply(to) {
  for (; applied < to; applied++) {
    const change = changes[applied];

    now.fill(change[5], change[3], change[3] + change[4]);
  }
}

/* How many changes have come when the event is over. */
function changes_until(index) {
  let low = 0, high = changes.length;

  while (low < high) {
    const middle = (low + high) >> 1;

    if (changes[middle][0] <= index) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function prepare_memory() {
  const step = Math.max(1, Math.ceil(changes.length / CHECKPOINTS));

  for (const [page, pages, state] of memory.start) {
    now.fill(state, page, page + pages);
  }
  for (let i = 0; i <= changes.length; i += step) {
    apply(i);
    checkpoints.push({applied: i, pages: now.slice()});
  }
}

function go_to(index) {
  const wanted = changes_until(index);

  if (wanted < applied || wanted > applied + Math.ceil(changes.length / CHECKPOINTS)) {
    const near = checkpoints.filter((one) => one.applied <= wanted).pop();

    now.set(near.pages);
    applied = near.applied;
  }
  apply(wanted);
}

function state_of(page) {
  return memory.states[now[page]];
}

function kind_of(state) {
  return memory.kinds[state.kind];
}

function page_of(text) {
  let gpa;

  try {
    gpa = BigInt(text);
  } catch (error) {
    return -1;
  }
  for (const slot of slots) {
    const page = (gpa - slot.gpa) >> PAGE_SHIFT;

    if (page >= 0n && page < BigInt(slot.pages)) {
      return slot.first + Number(page);
    }
  }
  return -1;
}

function gpa_of(page) {
  for (const slot of slots) {
    if (page >= slot.first && page < slot.first + slot.pages) {
      return hex(slot.gpa + (BigInt(page - slot.first) << PAGE_SHIFT));
    }
  }
  return "?";
}

/* Below the names in VMPLS. */
function permission_text(state) {
  return state.assigned ? state.permissions.map((mask) =>
    [...PERMISSIONS].map((c, bit) => mask >> bit & 1 ? c : "-").join("")).join(" ") : "";
}

function state_text(state) {
  const more = [];

  if (state.large) {
    more.push("2 MiB");
  }
  if (state.immutable && kind_of(state).name !== "immutable") {
    more.push("immutable");
  }
  if (state.assigned && state.asid !== 1) {
    more.push("ASID " + state.asid);
  }
  return kind_of(state).name + (more.length ? " (" + more.join(", ") + ")" : "");
}

function swatch(kind) {
  const made = element("span", {className: "swatch", "aria-hidden": "true"});

  made.style.background = "var(--kind-" + kind + ")";
  return made;
}

function state_cell(state) {
  return element("span", {}, swatch(state.kind), state_text(state));
}

function pages_text(pages) {
  return plural(pages, "page", "pages");
}

/* ---- memory: as a picture ---- */

let colours = [];
const maps = [];

function read_colours() {
  const style = getComputedStyle(document.documentElement);
  const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const read = (name) => {
    paint.fillStyle = style.getPropertyValue(name).trim();
    paint.fillRect(0, 0, 1, 1);
    return new Uint32Array(paint.getImageData(0, 0, 1, 1).data.buffer)[0];
  };

  colours = memory.kinds.map((kind, number) => read("--kind-" + number));
  colours.tick = read("--focus");
  colours.back = read("--back");
}

function make_map(slot) {
  const rows = Math.ceil(slot.pages / LARGE);
  const cells = element("canvas", {className: "cells", width: LARGE, height: rows, role: "img"});
  const ticks = element("canvas", {className: "ticks", width: 1, height: rows, "aria-hidden": "true"});
  const height = Math.max(24, rows * (rows <= 160 ? 2 : 1)) + "px";
  const map = {slot, cells, ticks, rows, pixels: null, marks: null};

  cells.style.height = ticks.style.height = height;
  cells.addEventListener("mousemove", (event) => point_at(page_at(map, event)));
  cells.addEventListener("click", (event) => inspect(page_at(map, event)));
  $("maps").append(element("figure", {}, element("figcaption", {}, hex(slot.gpa) + ", " +
    (slot.pages / 256) + " MiB"), element("div", {className: "map"}, cells, ticks)));
  maps.push(map);
}

function page_at(map, event) {
  const box = map.cells.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * LARGE);
  const y = Math.floor((event.clientY - box.top) / box.height * map.rows);
  const page = y * LARGE + x;

  return x >= 0 && x < LARGE && page >= 0 && page < map.slot.pages ? map.slot.first + page : -1;
}

function draw_map(map, changed) {
  const paint = map.cells.getContext("2d"), mark = map.ticks.getContext("2d");
  const colour = Uint32Array.from(memory.states, (state) => colours[state.kind]);
  const pixels = map.pixels = map.pixels || paint.createImageData(LARGE, map.rows);
  const marks = map.marks = map.marks || mark.createImageData(1, map.rows);
  const words = new Uint32Array(pixels.data.buffer), tick = new Uint32Array(marks.data.buffer);
  const {first, pages} = map.slot;

  for (let i = 0; i < pages; i++) {
    words[i] = colour[now[first + i]];
  }
  tick.fill(colours.back);
  for (const [page, length] of changed) {
    const from = Math.max(page, first) - first, to = Math.min(page + length, first + pages) - first;

    if (from < to) {
      tick.fill(colours.tick, Math.floor(from / LARGE), Math.floor((to - 1) / LARGE) + 1);
    }
  }
  paint.putImageData(pixels, 0, 0);
  mark.putImageData(marks, 0, 0);
}

function point_at(page) {
  if (page >= 0) {
    $("pointed").textContent = gpa_of(page) + ": " + state_text(state_of(page)) + "  " +
      permission_text(state_of(page));
  }
}

const kinds_met = new Set(memory.states.map((state) => state.kind));

function show_kinds() {
  const pages = memory.kinds.map(() => 0), of_state = new Uint32Array(memory.states.length);
  const texts = [];

  for (let page = 0; page < page_count; page++) {
    of_state[now[page]]++;
  }
  memory.states.forEach((state, number) => {
    pages[state.kind] += of_state[number];
  });
  fill($("kinds"), ...memory.kinds.flatMap((kind, number) => {
    if (pages[number]) {
      texts.push(kind.name + " " + pages_text(pages[number]));
    }
    return kinds_met.has(number) ? [element("div", {title: kind.meaning},
      element("dt", {}, swatch(number), kind.name), element("dd", {}, count(pages[number])))] : [];
  }));
  for (const map of maps) {
    map.cells.setAttribute("aria-label", "Map of memory from " + hex(map.slot.gpa) + "; in all: " + texts.join("; "));
  }
}

/* The changes of one event, as they stand in `changes`. */
function changes_of(index) {
  return changes.slice(changes_until(index - 1), changes_until(index));
}

function show_changed(own) {
  const body = element("tbody");

  if (!own.length) {
    fill($("changed"), element("p", {className: "dim"}, "Nothing in the RMP."));
    return;
  }
  fill($("changed"), element("table", {}, table_head("from gpa", "#pages", "to", VMPLS), body));
  add_rows(body, own.map(([, , , page, pages, state]) => () => table_row(
    action(gpa_of(page), () => inspect(page)), pages, state_cell(memory.states[state]),
    permission_text(memory.states[state]))));
}

let inspected = -1;

function page_story(page) {
  const story = [];

  for (const [index, first, last, from, pages, state] of changes) {
    if (page >= from && page < from + pages) {
      story.push({index, time: pages > 1 ? first + (last - first) * (page - from) / (pages - 1) : first, state});
    }
  }
  return story;
}

function launch_state(page) {
  return memory.states[checkpoints[0].pages[page]];
}

function show_page() {
  $("page-now").textContent = inspected < 0 ? "" : state_text(state_of(inspected)) + "  " +
    permission_text(state_of(inspected));
}

function inspect(page) {
  const body = element("tbody");

  inspected = page;
  if (page < 0) {
    fill($("page-history"));
    $("page-now").textContent = $("page-gpa").value.trim() ? "no memory at this address" : "";
    return;
  }
  if (page_of($("page-gpa").value) !== page) {
    $("page-gpa").value = gpa_of(page);
  }
  fill($("page-history"), element("table", {}, table_head("event", "#instruction", "state", VMPLS), body));
  body.append(table_row("launch", 0, state_cell(launch_state(page)), permission_text(launch_state(page))));
  add_rows(body, page_story(page).map(({index, time, state}) => () => table_row(
    index >= 0 && index < events.length
      ? action(count(index) + "  " + event_name(events[index]), () => select(index)) : "launch",
    Math.round(time), state_cell(memory.states[state]), permission_text(memory.states[state]))));
  show_page();
}

function show_ranges() {
  const rows = [], body = element("tbody");
  let ranges = 0;

  for (let page = 0; page < page_count;) {
    const state = now[page], from = page, slot = slots.find((one) => page >= one.first && page < one.first + one.pages);

    while (page < slot.first + slot.pages && now[page] === state) {
      page++;
    }
    ranges++;
    if (rows.length < RANGES_MAX) {
      const pages = page - from;

      rows.push(() => table_row(gpa_of(from), pages, state_cell(memory.states[state]),
        permission_text(memory.states[state])));
    }
  }
  fill($("ranges").querySelector("div"), element("table", {}, table_head("from gpa", "#pages", "state", VMPLS), body),
    ranges > rows.length ? element("p", {className: "dim"}, "and " + count(ranges - rows.length) + " more") : "");
  add_rows(body, rows);
}

function show_memory(index) {
  const own = changes_of(index);

  $("moment").value = index;
  $("moment").setAttribute("aria-valuetext", "event " + index + ", after " + events[index].time + " instructions");
  $("moment-text").textContent = count(index) + " of " + count(events.length - 1);
  if (!$("panel-memory").hidden) {
    for (const map of maps) {
      draw_map(map, own.map((change) => [change[3], change[4]]));
    }
    show_kinds();
    show_changed(own);
    show_page();
    if ($("ranges").open) {
      show_ranges();
    }
  }
}

/* The nearest event before or after that changed the RMP. */
function step_change(forwards) {
  if (forwards) {
    const next = changes[changes_until(selected)];

    if (next && next[0] < events.length) {
      select(next[0]);
    }
  } else {
    const before = changes[changes_until(selected - 1) - 1];

    if (before && before[0] >= 0) {
      select(before[0]);
    }
  }
}

/* ---- the other parts ---- */

function address(value) {
  return value === "0x0" ? "-" : value;
}

function show_cpus() {
  const panel = $("panel-cpus"), body = element("tbody");

  if (!facts.percpu.length) {
    fill(panel, element("p", {className: "dim"},
      "The guest has no per-CPU areas, or the image has no symbols PERCPU_VA and CPU_COUNT."));
    return;
  }
  fill(panel, element("table", {id: "percpu"}, table_head("#CPU", "#APIC ID", "area", "GHCB", "VMSA of VMPL0",
    "VMSA of VMPL1", "CAA of VMPL1", "TSS"), body));
  add_rows(body, facts.percpu.map((row) => () => table_row(row.index, row.apic_id, row.gva, address(row.ghcb),
    address(row.vmsa[0]), address(row.vmsa[1]), address(row.caa[1]), address(row.tss))));
}

function show_console() {
  fill($("panel-console"), facts.console.text
    ? element("pre", {}, (facts.console.cut ? "(what came before is left out)\n" : "") + visible(facts.console.text.replace(/\r\n/g, "\n"), true))
    : element("p", {className: "dim"}, "The guest has written nothing."));
}

const hits = events.flatMap((event, index) => event.event === "oracle" ? [index] : []);

function oracle_meaning(name) {
  const found = facts.outcome.oracles.find((oracle) => oracle.name === name);

  return found ? found.meaning : "";
}

function show_oracles() {
  const panel = $("panel-oracles");
  let last = "";

  fill(panel);
  if (!hits.length) {
    panel.append(element("p", {className: "dim"}, "No oracle has hit, or none was on: --oracles says which watch."));
  }
  add_rows(panel, hits.map((index) => () => {
    const event = events[index];
    const box = element("div", {className: "hit"});

    if (event.topic !== last) {
      box.append(element("p", {}, element("b", {}, event.topic), " ", oracle_meaning(event.topic)));
      last = event.topic;
    }
    box.append(action(count(index) + "  " + visible(event.fields.what || event_name(event)), () => select(index)),
      show_place("in", facts.places[event.place]));
    if (event.other_place !== undefined) {
      box.append(show_place("other", facts.places[event.other_place]));
    }
    requestAnimationFrame(() => scroll_source(box));
    return box;
  }));
}

function run_rows() {
  const {run, outcome, expected} = facts;
  const rows = [
    ["scenario or image", run.path], ["image", run.image], ["CPUs", count(run.cpus)],
    ["memory", count(run.memory_mib) + " MiB"], ["seed", run.seed],
    ["firmware", run.firmware ? run.firmware + ", " + count(run.guest_memory_mib) + " MiB" : "none"],
    ["outcome", outcome.phrase], ["", outcome.detail], ["", outcome.meaning],
    ["panic", outcome.panic], ["verdict", outcome.verdict], ["", outcome.verdict_meaning],
    ["expected", expected ? expected.met ? "met" : "not met: " + expected.why : "nothing in particular"],
    ["ends", "vCPU " + outcome.vcpu + " at VMPL" + outcome.vmpl + ", at " + outcome.rip +
      (outcome.symbol ? " in " + outcome.symbol : "")],
    ["instructions", count(outcome.instructions)], ["exits", count(outcome.exits)],
    ["final state", "SHA-256 " + facts.digest], ["emulator", "snpemu " + run.snpemu],
  ];

  if (outcome.termination) {
    const {who, name, meaning} = outcome.termination;

    rows.splice(8, 0, ["", [who, name, meaning].filter((text) => text).join(": ")]);
  }
  return rows.filter((row) => row[1] !== "");
}

function show_run() {
  const trace = facts.backtrace.map((place, at) => table_row(String(at), place.gva,
    (place.guessed ? "? " : "") + place_text(place) + (place.interrupted ? " (interrupted)" : "")));

  fill($("panel-run"), element("table", {}, element("tbody", {}, ...run_rows().map(([key, value]) =>
    element("tr", {}, element("th", {scope: "row"}, key), element("td", {}, visible(value)))))));
  if (trace.length) {
    $("panel-run").append(element("h3", {}, "Backtrace"), element("table", {id: "backtrace"},
      table_head("", "address", "in"), element("tbody", {}, ...trace)));
  }
}

function show_head() {
  const {run, outcome, expected} = facts;
  const good = outcome.verdict === "pass" || outcome.verdict === "contained";
  const parts = [run.image, plural(run.cpus, "CPU", "CPUs"), "seed " + run.seed,
    plural(Number(outcome.instructions), "instruction", "instructions"),
    plural(Number(outcome.exits), "exit", "exits"), plural(Number(facts.event_count), "event", "events")];
  const why = [];

  document.title = visible(run.path + ": " + outcome.phrase) + " - snpemu";
  $("title").textContent = visible(run.path);
  $("phrase").textContent = visible(outcome.phrase);
  $("verdict").textContent = outcome.verdict;
  $("verdict").className = good ? "good" : "bad";
  $("what").textContent = visible(parts.join(" · "));
  why.push((outcome.detail ? outcome.detail + ". " : "") + (outcome.termination && outcome.termination.name
    ? [outcome.termination.who, outcome.termination.name].join(": ") + "." : outcome.meaning));
  if (outcome.panic) {
    why.push("Panic: " + outcome.panic + ".");
  }
  if (expected) {
    why.push(expected.met ? "Expectation met." : "Expectation not met: " + expected.why);
  }
  if (Number(facts.event_count) > events.length) {
    why.push("Only the first " + count(events.length) + " events are kept.");
  }
  if (memory.lost) {
    why.push(count(memory.lost) + " changes of the RMP found no room and are missing.");
  }
  fill($("why"), ...why.map((line) => element("p", {}, visible(line))));
  $("tab-oracles").textContent = hits.length ? "Oracles (" + count(hits.length) + ")" : "Oracles";
}

/* ---- tabs ---- */

const tabs = [...$("tabs").children];
const shows = {cpus: show_cpus, console: show_console, oracles: show_oracles, run: show_run};
const shown_once = new Set();

function open_tab(tab, focus) {
  for (const one of tabs) {
    const on = one === tab;

    one.setAttribute("aria-selected", on ? "true" : "false");
    one.tabIndex = on ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !on;
  }
  const name = tab.id.replace("tab-", "");

  if (name === "memory" && selected >= 0) {
    show_memory(selected);
  } else if (shows[name] && !shown_once.has(name)) {
    shown_once.add(name);
    shows[name]();
  }
  if (focus) {
    tab.focus();
  }
}

function tab_key(event) {
  const at = tabs.indexOf(event.target);
  const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];

  if (to !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    open_tab(tabs[(to + tabs.length) % tabs.length], true);
  }
}

/* ---- theme ---- */

const themes = ["system", "light", "dark"];
const system_dark = matchMedia("(prefers-color-scheme: dark)");
let theme = "system";

/* The first one is set where the page begins, before anything is painted. */
function set_theme() {
  document.documentElement.dataset.theme = theme === "system" ? system_dark.matches ? "dark" : "light" : theme;
  $("theme").textContent = "Theme: " + theme;
  repaint();
}

function next_theme() {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  set_theme();
}

function repaint() {
  read_colours();
  if (selected >= 0) {
    show_memory(selected);
  }
}

/* ---- keys ---- */

function step_hit(by) {
  const next = by > 0 ? hits.find((index) => index > selected)
                      : hits.filter((index) => index < selected).pop();

  if (next !== undefined) {
    select(next);
  }
}

function clear_search() {
  show_all();
  show_row(selected);
  list.focus();
}

const page_rows = () => Math.max(1, Math.floor(list.clientHeight / ROW_PX) - 1);

const keys = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  PageDown: () => move(page_rows()), PageUp: () => move(-page_rows()),
  g: () => select(shown_event(0)), Home: () => select(shown_event(0)),
  G: () => select(shown_event(shown_count() - 1)), End: () => select(shown_event(shown_count() - 1)),
  "/": () => {
    $("search").focus();
    $("search").select();
  },
  p: () => partner(selected) >= 0 && select(partner(selected)),
  n: () => step_hit(1), N: () => step_hit(-1),
  "[": () => step_change(false), "]": () => step_change(true),
  t: next_theme, "?": () => $("help").showModal(),
  Escape: () => shown && clear_search(),
};

/* These keys belong to what has the focus there: a list of its own, something that scrolls. */
const scrolls = new Set(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]);

function is_elsewhere(target, key) {
  if (target.matches("input[type=search], input[type=text]")) {
    return true;
  }
  return scrolls.has(key) && target !== list && target !== document.body;
}

function on_key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || $("help").open ||
      is_elsewhere(event.target, event.key) || (!events.length && event.key !== "t" && event.key !== "?")) {
    return;
  }
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  } else if (event.key >= "1" && event.key <= String(tabs.length)) {
    open_tab(tabs[Number(event.key) - 1], true);
  }
}

function search_key(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    clear_search();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    list.focus();
  }
}

/* A range of text may be selected by dragging over rows without another event being shown. */
function list_click(event) {
  const row = event.target.closest(".row");

  if (row && getSelection().isCollapsed) {
    select(Number(row.dataset.index), true);
    list.focus({preventScroll: true});
  }
}

/* ---- from here ---- */

function start() {
  const asked = /^#([0-9]+)$/.exec(location.hash);
  const last = events.length - 1;

  show_head();
  prepare_memory();
  read_colours();
  slots.forEach(make_map);
  $("moment").max = Math.max(0, last);
  list.addEventListener("scroll", draw_list, {passive: true});
  list.addEventListener("click", list_click);
  new ResizeObserver(draw_list).observe(list);
  document.addEventListener("keydown", on_key);
  $("search").addEventListener("input", () => search($("search").value));
  $("search").addEventListener("keydown", search_key);
  $("moment").addEventListener("input", () => select(Number($("moment").value)));
  $("change-before").addEventListener("click", () => step_change(false));
  $("change-after").addEventListener("click", () => step_change(true));
  $("page-gpa").addEventListener("input", () => inspect(page_of($("page-gpa").value.trim())));
  $("ranges").addEventListener("toggle", () => $("ranges").open && show_ranges());
  $("theme").addEventListener("click", next_theme);
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("tabs").addEventListener("keydown", tab_key);
  tabs.forEach((tab) => tab.addEventListener("click", () => open_tab(tab, false)));
  system_dark.addEventListener("change", set_theme);
  addEventListener("hashchange", () => {
    const now_asked = /^#([0-9]+)$/.exec(location.hash);

    if (now_asked && events.length) {
      select(Number(now_asked[1]));
    }
  });
  open_tab(tabs[0], false);
  search("");
  /* What went wrong is what most readers come for: else the end. */
  select(asked ? Number(asked[1]) : hits.length ? hits[0] : last);
  list.focus({preventScroll: true});
  performance.mark("shown");
}

start();
})();
