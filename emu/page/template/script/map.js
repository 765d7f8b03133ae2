/* SPDX-License-Identifier: MIT */
/* Memory as a picture, what an event changed, and one page over time. */
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
