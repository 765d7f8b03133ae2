/* SPDX-License-Identifier: MIT */
/* The other parts: CPUs, console, oracles, the run; what is at the head of the page; tabs. */
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
