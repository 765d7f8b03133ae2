/* SPDX-License-Identifier: MIT */
/* The selected event: its fields, and its place in the source. */
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
