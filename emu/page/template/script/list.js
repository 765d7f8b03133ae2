/* SPDX-License-Identifier: MIT */
/* The ladder: of many events only those that are seen are elements of the page. */
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
