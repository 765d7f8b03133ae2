/* SPDX-License-Identifier: MIT */
/* What an event is called, and how it is found by a search. */
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
