// What the page does by itself: unpacks facts and transcripts, filters, opens rows, follows links to a fact, listens to keys.
// Everything here is an addition: verdicts, differences, coverage and times stand in the HTML.
"use strict";
(async () => {
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const LONG = 600; // characters of a line of a transcript that are shown at once
  const FEW = 150; // matches of a filter that are shown without a click

  async function unpack(script) {
    const packed = Uint8Array.from(atob(script.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  const data = await unpack(one("#data"));
  const verdicts = Object.fromEntries(data.verdicts.map(([letter, name, word]) => [letter, { name, word }]));
  verdicts["-"] = { name: "none", word: "not part of this run" };
  const facts = data.facts.map(([section, subject, kind, basis, tail, statement, found, needs, reason, why], number) => {
    const [document_, name, label, start] = data.sections[section];
    const id = start + tail;
    const text = [id, statement, data.subjects[subject], data.kinds[kind][0], name].join(" ").toLowerCase();
    return { number, section, subject, kind, basis, id, statement, found, needs, reason, why, text, label, slots: data.documents[document_].slots };
  });
  const bySection = data.sections.map(() => []);
  for (const fact of facts) bySection[fact.section].push(fact);
  const byId = new Map(facts.map((fact) => [fact.id, fact]));

  // ---- text, made safe

  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const escape = (text) => String(text).replace(/[&<>"']/g, (each) => ESCAPES[each]);
  const NAMES = { "\r": "\\r", "\n": "\\n", "\t": "\\t" };
  const hidden = (each) => NAMES[each] ?? (each.charCodeAt(0) < 256 ? "\\x" + each.charCodeAt(0).toString(16).padStart(2, "0") : "\\u" + each.charCodeAt(0).toString(16).padStart(4, "0"));
  const tokens = (text, pattern) => text.split(pattern).map((part, at) => (at % 2 ? `<span class="c">${hidden(part)}</span>` : escape(part))).join("");
  // Bytes of the line, as latin-1 text: what is not ASCII is shown as the byte it is. A line of the module keeps the CR LF around it.
  const bytes = (text) => (text.match(/\r\n[^\r\n]+(?:\r\n)?|[^\n]+\n?|\n/g) ?? []).map((line) => tokens(line, /([^\x20-\x7e])/)).join("\n");
  const readable = (text) => tokens(text, /([\x00-\x09\x0b-\x1f\x7f-\xa0\xad\p{Cf}\p{Cs}\u2028\u2029])/u);
  const icon = ({ name, word }) => `<svg class="v ${name}" role="img" aria-label="${word}"><use href="#${name}"/></svg>`;
  const count = (number) => number.toLocaleString("en");
  const duration = (seconds) => (seconds < 1 ? `${+(seconds * 1e3).toPrecision(3)} ms` : `${+seconds.toPrecision(4)} s`);

  // ---- transcripts

  const pieces = all("script.piece");
  const unpacked = [];
  async function resultsOf(fact) {
    const at = data.pieces.findIndex((end) => fact.number < end);
    unpacked[at] ??= unpack(pieces[at]);
    return (await unpacked[at])[fact.number - (data.pieces[at - 1] ?? 0)];
  }

  function transcript(lines) {
    const box = document.createElement("div");
    box.className = "transcript";
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Transcript: time since the first line, direction, bytes");
    if (!lines.length) box.innerHTML = '<p class="empty">Nothing crossed the line.</p>';
    let time = 0;
    for (let at = 0; at < lines.length; at += 2) {
      time += lines[at] / 1e6;
      const sent = lines[at + 1][0] === ">";
      const line = lines[at + 1].slice(1);
      const row = document.createElement("div");
      row.className = sent ? "tx" : "rx";
      const shown = line.length > LONG
        ? `${bytes(line.slice(0, LONG - 100))} <button type="button">${count(line.length - LONG)} bytes more</button> ${bytes(line.slice(-100))}`
        : bytes(line);
      const when = time < 1 ? `${(time * 1e3).toFixed(2)} ms` : `${time.toFixed(4)} s`;
      row.innerHTML = `<time>${when}</time><span class="way" title="${sent ? "to the module" : "from the module"}">${sent ? "&gt;" : "&lt;"}</span><span class="data">${shown}</span>`;
      one("button", row)?.addEventListener("click", () => (one(".data", row).innerHTML = bytes(line)));
      box.append(row);
    }
    return box;
  }

  async function toggleTranscript(button) {
    const opened = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!opened));
    if (opened) return button.nextElementSibling?.remove();
    const found = (await resultsOf(facts[button.dataset.fact])).find(([slot]) => slot === +button.dataset.slot);
    button.after(transcript(gravest(found.slice(1))[6]));
  }
  const order = data.verdicts.map(([letter]) => letter);
  const gravest = (attempts) => attempts.reduce((worst, each) => (order.indexOf(each[0]) < order.indexOf(worst[0]) ? each : worst));

  // ---- a fact, opened

  async function panel(fact) {
    const box = document.createElement("div");
    box.className = "panel";
    const needs = fact.needs.length ? ` · needs ${fact.needs.map((need) => escape(data.needs[need])).join(", ")}` : "";
    const basis = ["", " · inherited from another document", " · decided by us"][fact.basis];
    box.innerHTML = `<p class="source">${escape(data.kinds[fact.kind][1])}${basis}${needs} · <a href="#${encodeURI(fact.id)}">${escape(fact.id)}</a></p>`;
    const say = (text) => box.insertAdjacentHTML("beforeend", `<p class="says">${text}</p>`);
    if (fact.why) say(`${icon(verdicts.u)} Unchecked, ${escape(data.reasons[fact.reason][0])}: ${escape(fact.why)}`);
    const attempts = (await resultsOf(fact)).flatMap(([slot, ...each]) => each.map((attempt, at) => ({ slot, at, of: each.length, attempt })));
    if (!attempts.length && !fact.why) say("Not part of this run.");
    if (!attempts.length) return box;
    const body = document.createElement("div");
    body.setAttribute("role", attempts.length > 1 ? "tabpanel" : "group");
    const show = ({ slot, attempt: [letter, reason, took, expected, observed, traffic, lines] }) => {
      const facts_ = [reason && escape(reason), `took ${duration(took)}`, traffic && `${count(traffic)} bytes over the network`].filter(Boolean);
      body.innerHTML = `<p class="says">${icon(verdicts[letter])} <b>${verdicts[letter].word}</b> on ${escape(data.slots[slot])} · ${facts_.join(" · ")}</p>`;
      if (expected !== null || observed !== null)
        body.insertAdjacentHTML("beforeend", `<div class="diff"><figure><figcaption>Expected</figcaption><pre>${readable(expected ?? "")}</pre></figure><figure><figcaption>Observed</figcaption><pre>${readable(observed ?? "")}</pre></figure></div>`);
      body.append(transcript(lines));
    };
    const first = attempts.find(({ slot }) => form.slot.value === String(slot)) ?? attempts.reduce((a, b) => (gravest([a.attempt, b.attempt]) === a.attempt ? a : b));
    if (attempts.length > 1) {
      const tabs = document.createElement("div");
      tabs.className = "tabs";
      tabs.setAttribute("role", "tablist");
      for (const each of attempts) {
        const tab = document.createElement("button");
        tab.type = "button";
        tab.setAttribute("role", "tab");
        tab.innerHTML = icon(verdicts[each.attempt[0]]) + escape(data.slots[each.slot]) + (each.of > 1 ? ` · ${each.at + 1}` : "");
        const choose = () => {
          for (const other of tabs.children) other.setAttribute("aria-selected", String(other === tab));
          show(each);
        };
        tab.addEventListener("click", choose);
        tabs.append(tab);
        if (each === first) choose();
      }
      box.append(tabs);
    } else show(first);
    box.append(body);
    return box;
  }

  async function openRow(row, opened = true) {
    const button = one("button", row);
    if ((button.getAttribute("aria-expanded") === "true") === opened) return;
    button.setAttribute("aria-expanded", String(opened));
    one(".panel", row)?.remove();
    if (opened) row.append(await panel(facts[row.dataset.fact]));
  }

  const row = (fact) => {
    const cells = [...fact.found].map((letter, at) => `<span title="${escape(data.slots[fact.slots[at]])}: ${verdicts[letter].word}">${icon(verdicts[letter])}</span>`).join("");
    const basis = ["", " · inherited", " · decided"][fact.basis];
    return `<div class="fact" id="row:${escape(fact.id)}" data-fact="${fact.number}"><button type="button" aria-expanded="false"><span class="cells">${cells}</span><span class="statement">${escape(fact.statement)}</span><span class="tags">${escape(data.kinds[fact.kind][0])}${basis}</span></button></div>`;
  };

  // ---- filter

  const form = one(".filter");
  const sections = all("details.section");
  const matches = new Uint8Array(facts.length).fill(1);
  let filtered = false;

  function wanted() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(all("[name=verdict]:checked", form).map((box) => box.value));
    const { kind, section, slot, basis } = Object.fromEntries(["kind", "section", "slot", "basis"].map((name) => [name, form[name].value]));
    filtered = Boolean(words.length || chosen.size || kind || section || slot || basis);
    return (fact) => {
      if (kind && fact.kind !== +kind) return false;
      if (section && fact.section !== +section) return false;
      if (basis && fact.basis !== +basis) return false;
      const at = slot ? fact.slots.indexOf(+slot) : -1;
      const found = slot ? fact.found[at] ?? "" : fact.found;
      if (slot && (!found || found === "-")) return false;
      if (chosen.size && ![...found].some((letter) => chosen.has(verdicts[letter].name))) return false;
      return words.every((word) => fact.text.includes(word));
    };
  }

  function filter() {
    const test = wanted();
    const numbers = new Uint32Array(sections.length);
    let total = 0;
    for (const fact of facts) {
      matches[fact.number] = test(fact) ? 1 : 0;
      numbers[fact.section] += matches[fact.number];
      total += matches[fact.number];
    }
    one("output", form).textContent = filtered ? `${count(total)} of ${count(facts.length)} facts` : "";
    one("[type=reset]", form).hidden = !filtered;
    for (const section of sections) {
      const number = numbers[section.dataset.section];
      const label = one(".name .n", section);
      label.textContent = filtered ? `${number} of ${label.dataset.of}` : label.dataset.of;
      section.hidden = !number;
      if (filtered && total <= FEW && number && !section.open) (section.open = true), (section.dataset.auto = "");
      else if ("auto" in section.dataset && (!filtered || total > FEW)) (section.open = false), delete section.dataset.auto;
      delete section.dataset.drawn;
      if (section.open) draw(section);
      else one(".rows", section).replaceChildren();
    }
    for (const part of all(".document")) part.hidden = all("details.section", part).every((section) => section.hidden);
    for (const part of all(".finding")) part.hidden = !matches[part.dataset.fact];
    const slot = form.slot.value && data.slots[form.slot.value];
    for (const part of all(".finding .on")) part.hidden = Boolean(slot) && part.dataset.slot !== slot;
    for (const part of all("#not-made")) part.hidden = filtered;
    for (const part of all(".findings")) part.hidden = filtered && !one(".finding:not([hidden])", part);
  }

  function draw(section) {
    if ("drawn" in section.dataset) return;
    section.dataset.drawn = "";
    one(".rows", section).innerHTML = bySection[section.dataset.section].filter((fact) => matches[fact.number]).map(row).join("");
  }

  function clear() {
    form.reset();
    filter();
  }

  // ---- links to a fact

  async function go() {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const fact = byId.get(id);
    if (!fact) return;
    if (!matches[fact.number]) clear();
    all(".target").forEach((each) => each.classList.remove("target"));
    const finding = document.getElementById(id);
    if (finding && !finding.closest("[hidden]")) {
      finding.open = true;
      finding.scrollIntoView();
      return one("summary", finding).focus({ preventScroll: true });
    }
    const section = sections[fact.section];
    section.open = true;
    draw(section);
    const place = document.getElementById(`row:${id}`);
    place.classList.add("target");
    await openRow(place);
    place.scrollIntoView();
    one("button", place).focus({ preventScroll: true });
  }

  // ---- keys

  function step(by) {
    const shown = (selector) => all(selector).filter((each) => each.checkVisibility());
    const here = document.activeElement;
    const rows = here?.parentElement?.classList.contains("fact");
    let stops = rows ? shown(".fact > button") : shown(".finding > summary, .reason > summary");
    if (!stops.length) stops = shown(".fact > button");
    const at = stops.indexOf(here);
    const next = stops[at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(Math.max(at + by, 0), stops.length - 1)];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && (typing || filtered)) clear(), event.target.blur();
    else if (typing) return;
    else if (event.key === "/") form.q.focus(), form.q.select();
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (/^Arrow(Down|Up)$/.test(event.key) && event.target.matches(".finding > summary, .reason > summary, .fact > button"))
      step(event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
  });

  // ---- everything else that listens

  let due = 0;
  form.addEventListener("input", () => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(() => {
      filter();
      const above = one(".filtered").getBoundingClientRect().top; // what was in view may be gone: begin with what matches
      if (above < 0) scrollBy(0, above);
    });
  });
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  one(".more", form).addEventListener("click", ({ target }) => target.setAttribute("aria-expanded", String(target.getAttribute("aria-expanded") !== "true")));
  for (const section of sections) section.addEventListener("toggle", () => section.open && draw(section));
  addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".transcript-of")) toggleTranscript(button);
    else if (button?.matches(".fact > button")) openRow(button.parentElement, button.getAttribute("aria-expanded") !== "true");
    else if (button?.matches(".counts button")) {
      form.reset();
      for (const box of all("[name=verdict]", form)) box.checked = box.value === button.dataset.verdict;
      form.slot.value = data.slots.indexOf(button.dataset.slot);
      filter();
      one(".filtered").scrollIntoView();
    } else if (event.target.closest("a")?.hash === location.hash && location.hash) go();
  });
  addEventListener("hashchange", go);
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of all(".finding:not([open])")) (each.open = true), opened.push(each);
  });
  addEventListener("afterprint", () => {
    for (const each of opened.splice(0)) each.open = false;
  });

  root.classList.add("scripted");
  filter();
  await go();
  root.dataset.ready = "";
})();
