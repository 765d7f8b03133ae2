#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""formats_check.py TEXT JSON TIMELINE PAGE: four files of one run, held against docs/TRACE.md and
against each other. Says what differs; nothing when all is well."""
import json
import re
import sys
from collections import Counter

JSON_KEYS = {"time": int, "vcpu": int, "vmpl": int, "rip": str, "event": str, "fields": dict}
JSON_MORE = {"topic": str, "symbol": str, "offset": int, "lines": list, "words": str}
LINE_KEYS = {"file": str, "line": int}
HEADER_KEYS = {"trace": str, "version": int, "form": str, "image": str, "cpus": int,
               "memory_mib": int, "seed": int}
NUMBER_MAX = 2 ** 53 - 1
HEX = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,15})\Z")

problems = []


def problem(*words):
    problems.append(" ".join(map(str, words)))


def check_types(where, value, required, optional):
    for key, kind in required.items():
        if type(value.get(key)) is not kind:
            problem(where, "wants", key, "of type", kind.__name__, "in", value)
    for key in value:
        kind = required.get(key) or optional.get(key)
        if kind is None or type(value[key]) is not kind:
            problem(where, "has", key, "in", value)


# ---- JSON, and the text that it stands for ----

ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def quote(text):
    if text and all(" " < c < "\x7f" and c not in '"\\' for c in text):
        return text
    out = ""
    for byte in text.encode():
        c = chr(byte)
        out += ESCAPES.get(c) or (c if " " <= c < "\x7f" else "\\x%02x" % byte)
    return '"' + out + '"'


def value_text(value):
    return quote(value) if isinstance(value, str) else str(value)


def source_text(lines):
    """The innermost line, and for what is inlined there where it is called."""
    texts = []
    for at, line in enumerate(lines):
        inner = at + 1 < len(lines) and "function" in line
        texts.append("%s:%d%s" % (line["file"], line["line"], " in " + line["function"] if inner else ""))
    return ", inlined at ".join(texts)


def text_line(event):
    """The line of the text form: "time cpu rip event topic fields @symbol+offset (source)"."""
    cpu = "cpu%d" % event["vcpu"] + (".vmpl%d" % event["vmpl"] if event["vmpl"] else "")
    words = [str(event["time"]), cpu, event["rip"], event["event"]]
    words += [event["topic"]] if "topic" in event else []
    words += ["%s=%s" % (key, value_text(value)) for key, value in event["fields"].items()]
    if "symbol" in event:
        words.append("@%s+0x%x" % (quote(event["symbol"]), event["offset"]))
    if "lines" in event:
        words.append("(%s)" % source_text(event["lines"]))
    return " ".join(words)


def check_json(text, path):
    with open(path, encoding="ascii") as file:
        objects = [json.loads(line) for line in file]
    header, events, end = objects[0], objects[1:-1], objects[-1]
    check_types("the header", header, HEADER_KEYS, {"firmware": str, "guest_memory_mib": int})
    if header["trace"] != "snpemu" or header["version"] != 1 or header["form"] != "full":
        problem("the header is", header)
    for event in events:
        check_types("an event", event, JSON_KEYS, JSON_MORE)
        if not HEX.match(event["rip"]):
            problem("rip", event)
        for line in event.get("lines", []):
            check_types("a line", line, LINE_KEYS, {"function": str})
        for key, value in event["fields"].items():
            if type(value) not in (int, str) or type(value) is int and not 0 <= value <= NUMBER_MAX:
                problem("field", key, value)
    with open(text, encoding="ascii") as file:
        lines = file.read().splitlines()
    if len(lines) != len(objects):
        problem(len(lines), "lines of text,", len(objects), "objects")
    for line, event in zip(lines[1:-1], events):
        if "\ufffd" not in str(event) and line != text_line(event):
            problem("text", line, "\n  JSON", text_line(event))
    if lines[-1] != "digest sha256=" + end["digest"]:
        problem("digest", lines[-1], end)
    return header, events


# ---- the timeline ----

PHASES = {"B", "E", "X", "i", "M", "C"}
NAMES = {"process_name": ("name", str), "thread_name": ("name", str),
         "process_sort_index": ("sort_index", int), "thread_sort_index": ("sort_index", int)}


def check_trace_event(event):
    """The fields that "Trace Event Format" asks for, by phase."""
    phase = event.get("ph")
    wanted = {"ph": str, "pid": int, "tid": int, "name": str}
    if phase not in PHASES:
        problem("phase", event)
        return
    if phase == "M":
        key, kind = NAMES[event["name"]]
        if set(event) != set(wanted) | {"args"} or type(event["args"][key]) is not kind:
            problem("metadata", event)
        return
    wanted.update({"cat": str, "ts": float})
    wanted.update({"X": {"dur": float}, "i": {"s": str}}.get(phase, {}))
    more = {} if phase == "E" else {"args": dict}
    check_types("a trace event", event, wanted, more)
    if not 0 <= event["ts"] or abs(event["ts"] * 1000 - round(event["ts"] * 1000)) > 1e-3:
        problem("time", event)
    if phase == "X" and event["dur"] <= 0 or phase == "i" and event["s"] not in "tpg":
        problem("slice or instant", event)
    if phase == "C" and any(type(value) is not int for value in event["args"].values()):
        problem("counter", event)


def check_slices(track, events):
    """Slices of one track lie within each other, and each end has its beginning. A reader sorts
    events by time, and leaves those of one time as they come."""
    begun, busy_until = 0, 0
    for event in sorted(events, key=lambda one: one["ts"]):
        now = round(event["ts"] * 1000)
        if event["ph"] == "X":
            if begun != 1 or now < busy_until:
                problem("slice outside", track, event)
            busy_until = now + round(event["dur"] * 1000)
        elif event["ph"] in "BE":
            begun += 1 if event["ph"] == "B" else -1
            if begun not in (0, 1) or now < busy_until:
                problem("begin or end", track, event)
    if begun:
        problem(begun, "slices do not end on", track)


def check_timeline(path, header, events):
    with open(path, encoding="ascii") as file:
        whole = json.load(file)
    if set(whole) != {"traceEvents", "displayTimeUnit", "otherData"} or \
            whole["displayTimeUnit"] != "ns" or whole["otherData"]["image"] != header["image"]:
        problem("timeline", set(whole), whole["otherData"])
    named, tracks, counters = set(), {}, []
    for event in whole["traceEvents"]:
        check_trace_event(event)
        track = event["pid"], event["tid"]
        if event["ph"] == "M":
            named.add((track, event["name"]))
            continue
        if not all((track, name) in named for name in NAMES):
            problem("no name for", track)
        tracks.setdefault(track, []).append(event)
        counters += [event] if event["ph"] == "C" else []
    for track, some in tracks.items():
        check_slices(track, some)
    pages = {sum(event["args"].values()) for event in counters}
    if len(pages) != 1 or not counters or counters[0]["ts"] != 0:
        problem("pages come and go", pages)
    phases = Counter(event["ph"] for event in whole["traceEvents"])
    kinds = Counter(event["event"] for event in events)
    if phases["X"] != kinds["exit"] or phases["B"] != kinds["run"] + 1 or \
            phases["i"] != len(events) - kinds["exit"] - kinds["reply"] - kinds["run"]:
        problem("phases", phases, "events", kinds)
    replies = sum("reply" in event.get("args", {}) for event in whole["traceEvents"])
    if replies != kinds["reply"]:
        problem(replies, "replies of", kinds["reply"])
    return counters


# ---- the page ----

def page_data(path, name):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = re.findall(r'<script type="application/json" id="%s">\n(.*?)</script>' % name, text, re.S)
    return json.loads(found[0])


def check_changes(facts, events):
    """Each PVALIDATE that changed something is there with its pages, by its own event."""
    changed = {}
    for number, first, last, page, count, state in facts["memory"]["changes"]:
        changed.setdefault(number, []).append((page, count, facts["memory"]["states"][state]))
        if first > last or number >= len(events) or (count == 1 and first != last):
            problem("change", number, first, last, page, count)
    for number, event in enumerate(events):
        fields, own = event["fields"], changed.get(number, [])
        if event["event"] == "pvalidate" and fields["status"] == 0:
            pages = 0 if fields["cf"] else fields["pages"] * (512 if fields["size"] == "2M" else 1)
            validated = event["topic"] == "validate"
            some = [count for _, count, state in own if state["validated"] == validated]
            if sum(some) != pages or len(some) != len(own):
                problem("event", number, event["fields"], "has", own)
        elif event["event"] in ("wrmsr", "fault", "console", "exit") and own:
            problem("event", number, event["event"], "has", own)


def count_kinds(facts):
    """Pages of each kind at the end."""
    memory = facts["memory"]
    pages = {}
    for page, count, state in memory["start"]:
        pages.update((number, state) for number in range(page, page + count))
    if len(pages) != sum(slot[1] for slot in memory["slots"]):
        problem(len(pages), "pages at the start")
    for _, _, _, page, count, state in memory["changes"]:
        pages.update((number, state) for number in range(page, page + count))
    names = [kind["name"] for kind in memory["kinds"]]
    total = Counter(names[memory["states"][state]["kind"]] for state in pages.values())
    return {name: total[name] for name in names}


def check_place(facts, event, traced):
    """The page has places of its own; takes them away, for the rest to be compared."""
    offset, lines = traced.pop("offset", None), traced.pop("lines", [])
    other = event.pop("other_place", 0)
    number = event.pop("place", None)
    if number is None:
        return
    if not 0 <= number < len(facts["places"]) or not 0 <= other < len(facts["places"]):
        problem("place", number, other)
        return
    place = facts["places"][number]
    if event["event"] not in ("exit", "reply"):  # these stand behind VMGEXIT
        shown = [{key: line[key] for key in line if key not in ("path", "source")}
                 for line in place["lines"]]
        if place.get("offset") != offset or shown != lines:
            problem("place", place, offset, lines)


def check_page(path, header, events, counters):
    facts, shown = page_data(path, "facts"), page_data(path, "events")
    if facts["report"] != "snpemu" or facts["version"] != 1 or facts["event_count"] != len(events):
        problem("page", facts["version"], facts["event_count"])
    for event, traced in zip(shown, events):
        check_place(facts, event, traced)
    if shown != events:
        problem("the page has other events than the trace")
    if any(facts["run"][key] != header[key] for key in ("image", "cpus", "seed", "memory_mib")):
        problem("run", facts["run"], header)
    check_changes(facts, events)
    if count_kinds(facts) != counters[-1]["args"]:
        problem("pages at the end", count_kinds(facts), counters[-1]["args"])


def main():
    text, objects, timeline, page = sys.argv[1:]
    header, events = check_json(text, objects)
    check_page(page, header, events, check_timeline(timeline, header, events))
    for line in problems[:20]:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
