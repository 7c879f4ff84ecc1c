"use strict";
(() => {
  const byID = (id) => document.getElementById(id);

  // Text. Whatever producers wrote becomes text nodes, never markup.

  /** Characters that are invisible or turn the direction of writing are shown as \u{…}; line breaks and joiners stay. */
  const visible = (text) =>
    String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
      "\n\t\u200c\u200d".includes(character) ? character : `\\u{${character.codePointAt(0).toString(16)}}`);

  /** An element; of `properties`, `class` and what has a dash are attributes. Children that are strings become text. */
  function make(name, properties, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "class") element.className = value;
      else if (key.includes("-") || key === "role") element.setAttribute(key, value);
      else element[key] = value;
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  /** A producer's text, whose direction of writing does not reach what stands around it. */
  const foreign = (text, className = "text") => make("bdi", { class: className }, visible(text));

  const note = (text, isBad = false) => make("p", { class: isBad ? "note bad" : "note" }, text);

  /** A table with a caption. The roles are said once more because cards on narrow screens take them away. */
  function table(caption, className, columns, rows) {
    const head = columns.map(([text, name]) => make("th", { scope: "col", class: name, role: "columnheader" }, text));
    return make("table", { class: className, role: "table" },
      make("caption", { class: "hidden" }, caption),
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, head)),
      make("tbody", { role: "rowgroup" }, rows));
  }
  const row = (className, ...cells) => make("tr", { class: className, role: "row" }, cells);
  const cell = (className, ...content) => make("td", { class: className, role: "cell" }, content);

  /** The first `count` of many, and a button for the rest. */
  function some(items, count, container, build, noun) {
    container.append(...items.slice(0, count).map(build));
    if (items.length <= count) return [container];
    const more = make("button", { type: "button", class: "link more" }, `Show all ${number(items.length)} ${noun}`);
    more.addEventListener("click", () => {
      const added = items.slice(count).map(build);
      container.append(...added);
      more.remove();
      added[0].tabIndex = -1;
      added[0].focus();
    });
    return [container, more];
  }

  /** A message, cut at a length that a person reads at once; the rest on demand. */
  function message(text, limit = 240) {
    if (text === null || text === undefined) return make("span", { class: "muted" }, "no message");
    const characters = Array.from(text);
    const element = foreign(text, "text whole");
    if (characters.length <= limit) return element;
    element.textContent = `${visible(characters.slice(0, limit).join(""))}…`;
    const toggle = make("button", { type: "button", class: "link expand", "aria-expanded": "false" },
      `Show all ${number(characters.length)} characters`);
    toggle.addEventListener("click", () => {
      element.textContent = visible(text);
      toggle.remove();
      element.tabIndex = -1;
      element.focus();
    });
    return [element, toggle];
  }

  // Numbers and times.

  const number = (value) => new Intl.NumberFormat("en").format(value);
  const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

  function duration(milliseconds) {
    const seconds = milliseconds / 1000;
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const whole = Math.floor(seconds);
    const first = units.findIndex(([, size]) => whole >= size);
    const [unit, size] = units[first];
    const [smaller, smallerSize] = units[first + 1];
    const rest = Math.floor((whole % size) / smallerSize);
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
  }

  function age(date) {
    const seconds = Math.floor((Date.now() - Date.parse(date)) / 1000);
    if (Math.abs(seconds) < 3) return "now";
    const size = Math.abs(seconds);
    const text = size < 60 ? `${size} s` : size < 3600 ? `${Math.floor(size / 60)} min`
      : size < 172800 ? `${Math.floor(size / 3600)} h` : `${Math.floor(size / 86400)} d`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  }

  /** How long ago; kept right by `refreshAges`. */
  const ago = (date) => date ? make("time", { dateTime: date, title: utc(date), class: "age" }, age(date)) : "never";
  const utc = (date) => `${date.replace("T", " ").replace(/(\.\d{3})\d*Z$/, "$1").replace(/Z$/, "")} UTC`;
  const exact = (date) => make("time", { dateTime: date, class: "number", title: new Date(date).toLocaleString() }, utc(date));

  function refreshAges() {
    for (const time of document.querySelectorAll("time.age")) {
      const text = age(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // States: a colour, a shape and a word each.

  const SHAPES = {
    failed: "M4 4l8 8M12 4l-8 8", stalled: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2 1.4",
    completed: "M3 8.5l3.4 3.5L13 4.5", open: "M2.5 8h11M9.5 4l4 4l-4 4",
  };
  const KIND_OF_STATUS = { success: "completed", failure: "failed", invalid: "failed", received: "open", processing: "open" };
  const OUTCOME_WORDS = { failed: "Failed", stalled: "Stuck", completed: "Completed", open: "In progress" };
  const kindOf = (status) => KIND_OF_STATUS[status] ?? "open";

  function shape(kind) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": "2.2", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" })) {
      svg.setAttribute(key, value);
    }
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", SHAPES[kind]);
    svg.append(path);
    return svg;
  }

  const outcomeBadge = (outcome) =>
    make("span", { class: `state is-${outcome}` }, shape(outcome in SHAPES ? outcome : "open"), OUTCOME_WORDS[outcome] ?? visible(outcome));

  function statusBadge(entry) {
    const kind = kindOf(entry.status);
    return make("span", { class: `state is-${kind}` }, shape(kind), entry.status,
      entry.raw_status !== entry.status && make("bdi", { class: "raw" }, visible(entry.raw_status)));
  }

  const stageName = (entry) => [foreign(entry.service), entry.source !== null && entry.source !== undefined && [" (", foreign(entry.source), ")"]];

  /** Why, in the words that follow an outcome. */
  function because(payload) {
    const reason = payload.reason;
    if (payload.outcome === "failed" && reason) {
      return [stageName(reason), ": ", reason.status_msg ? foreign(reason.status_msg) : `${reason.raw_status}, without a message`];
    }
    if (payload.outcome === "stalled" && reason) {
      return [stageName(reason), ": ", reason.status_msg ? foreign(reason.status_msg) : reason.raw_status];
    }
    if (payload.outcome === "stalled") return ["waits for ", names(payload.missing_services)];
    return [];
  }

  const names = (services) => services.flatMap((service, index) =>
    [index === 0 ? "" : index === services.length - 1 ? " and " : ", ", foreign(service)]);

  // The worker's answers.

  // A tracker that wants a token refuses all but the page itself. The tab keeps it until it is closed; a browser may forbid even that.
  const TOKEN = "payload-tracker-token";
  let token = null;
  try {
    token = sessionStorage.getItem(TOKEN);
  } catch { /* It is asked for again with each visit. */ }

  async function fetchWithToken(path, { signal, headers }) {
    const shown = token;
    const all = shown === null ? headers : { ...headers, Authorization: `Bearer ${shown}` };
    const response = await fetch(path, { signal, headers: all, cache: "no-store" });
    if (response.status === 401 && shown === token) byID("access").hidden = false;
    return response;
  }

  function useToken(text) {
    token = text;
    try {
      sessionStorage.setItem(TOKEN, text);
    } catch { /* As above. */ }
    byID("access").hidden = true;
    stream.abort();
    go();
  }

  /** Never throws: what went wrong is a sentence in `problem`. Paths are relative, so that a proxy may put the tracker below one of its own. */
  async function ask(path, signal) {
    try {
      const response = await fetchWithToken(path, { signal, headers: { Accept: "application/json" } });
      const body = await response.json().catch(() => null);
      if (response.ok && body !== null) return { data: body, status: response.status };
      if (response.ok) return { status: 0, problem: "the tracker's answer broke off; this page keeps trying" };
      return { status: response.status, data: body, problem: body?.detail ?? `the tracker answered ${response.status} ${response.statusText}` };
    } catch (error) {
      return { status: 0, problem: error.name === "AbortError" ? "" : "the tracker does not answer; this page keeps trying" };
    }
  }

  /** The newest payloads that `query` takes, up to `limit`. A page of them may hold fewer than there are, or none. */
  async function askList(query, limit, signal) {
    const payloads = [];
    let cursor = null;
    for (let page = 0; page < 20; page += 1) {
      const parameters = new URLSearchParams({ ...query, limit: limit - payloads.length });
      if (cursor !== null) parameters.set("cursor", cursor);
      const answer = await ask(`v1/payloads?${parameters}`, signal);
      if (answer.status !== 200) return answer;
      payloads.push(...answer.data.data);
      cursor = answer.data.next_cursor;
      if (cursor === null || payloads.length >= limit) break;
    }
    return { status: 200, data: { payloads, hasMore: cursor !== null } };
  }

  function explain({ status, problem }, what) {
    if (status === 404) return `This tracker has no ${what} (${visible(problem)}).`;
    if (status === 503) return `Not to be had just now: ${visible(problem)}. This page keeps trying.`;
    return `${what[0].toUpperCase()}${what.slice(1)} cannot be shown: ${visible(problem)}.`;
  }

  /** Shows `content` in `place`, unless it is what stands there already: focus and selection stay where they are. */
  function show(place, stamp, build) {
    if (place.dataset.stamp === stamp) return false;
    place.dataset.stamp = stamp;
    place.replaceChildren(...[build()].flat(Infinity));
    return true;
  }

  let announcementTimer = 0;
  function announce(text) {
    clearTimeout(announcementTimer);
    announcementTimer = setTimeout(() => { byID("announcement").textContent = text; }, 300);
  }

  // Where we are: `#` is the overview, `#?service=…&account=…` a part of it, `#<id>` a payload.

  const linkTo = (id) => `#${encodeURIComponent(id)}`;

  function place() {
    const hash = location.hash.slice(1);
    if (hash === "" || hash.startsWith("?")) {
      const query = new URLSearchParams(hash.slice(1));
      return { service: query.get("service") ?? "", account: query.get("account") ?? "" };
    }
    try {
      return { id: decodeURIComponent(hash) };
    } catch {
      return { id: hash };
    }
  }

  function narrowed(filter) {
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ""));
    return query.size > 0 ? `#?${query}` : "#";
  }

  let here = {};
  let visit = new AbortController();

  function go() {
    visit.abort();
    visit = new AbortController();
    const previous = here;
    here = place();
    const isPayload = here.id !== undefined;
    byID("payload").hidden = !isPayload;
    byID("overview").hidden = isPayload;
    if (isPayload) {
      byID("wanted").value = here.id;
      openPayload(here.id, visit.signal);
    } else {
      document.title = "Payload Tracker";
      if (previous.id !== undefined) byID("wanted").value = "";
      byID("filter-service").value = here.service;
      byID("filter-account").value = here.account;
      byID("filter-clear").hidden = here.service === "" && here.account === "";
      for (const list of lists) list.reset();
      refreshOverview();
    }
    restartStream();
  }

  // One payload.

  async function openPayload(id, signal) {
    const root = byID("payload");
    delete root.dataset.stamp;
    root.replaceChildren(note("Looking it up …"));
    document.title = `${id} · Payload Tracker`;
    let isFirst = true;
    let pause = 2000;
    let hasOthers = false;
    while (!signal.aborted) {
      const path = `v1/payloads/${encodeURIComponent(id)}`;
      const [found, history] = await Promise.all([ask(path, signal), ask(`${path}/statuses`, signal)]);
      if (signal.aborted) return;
      if (found.status === 200) {
        // What has just changed may change again at once.
        if (showPayload(found.data, history, isFirst)) pause = 1500;
      } else if (found.status === 0 && !isFirst) {
        // What is shown was true; the dot in the head says that it is not kept up.
      } else if (found.status === 404 || found.status === 400) {
        hasOthers = await showUnknown(id, found, isFirst, signal);
      } else {
        showProblem(id, found, isFirst);
      }
      isFirst = false;
      pause = Math.min(pause * 1.5, hasOthers || found.data?.outcome !== "open" && found.status === 200 ? 15000 : 3000);
      await nudge(pause, signal, found.data?.payload_id);
    }
  }

  /** Waits, but not longer than until the stream tells of the payload or the tab is looked at again. */
  const wakers = new Set();
  function nudge(milliseconds, signal, id) {
    return new Promise((resolve) => {
      const waker = { id, wake };
      const timer = setTimeout(() => document.hidden ? undefined : wake(), milliseconds);
      function wake() {
        clearTimeout(timer);
        wakers.delete(waker);
        resolve();
      }
      wakers.add(waker);
      signal.addEventListener("abort", wake);
    });
  }

  const idLine = (id) => make("p", { class: "id" }, foreign(id));

  /** Moves the focus to the answer: that is what was asked for. */
  function told(root, isWanted, scrolls = true) {
    const title = root.querySelector("h1");
    if (!isWanted || !title) return;
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
    if (scrolls) scrollTo(0, 0);
  }

  function verdict(kind, title, ...rest) {
    return make("section", { class: `verdict is-${kind}`, "aria-label": "What became of it" }, title, rest);
  }

  /** Returns whether the id is that of something else. */
  async function showUnknown(id, found, isFirst, signal) {
    const root = byID("payload");
    const isBad = found.status === 400;
    const lists = isBad ? [] : await Promise.all(["inventory_id", "system_id", "account", "org_id"].map(async (name) =>
      ({ name, answer: await askList({ [name]: id }, 50, signal) })));
    if (signal.aborted) return false;
    const hits = lists.filter(({ answer }) => answer.status === 200 && answer.data.payloads.length > 0);
    const stamp = JSON.stringify(["unknown", found, hits.map(({ answer }) => answer.data)]);
    const isNews = show(root, stamp, () => {
      if (hits.length === 0) {
        return verdict("open", make("h1", null, isBad ? "That is no payload id" : "No payload is known by this id"), idLine(id),
          isBad ? note(`${visible(found.problem)}.`)
            : note("It may have expired, or its first message is still to come: this page shows it as soon as it arrives."));
      }
      const words = { inventory_id: "inventory id", system_id: "system id", account: "account", org_id: "organisation id" };
      return [
        verdict("open", make("h1", null, `Payloads with this ${words[hits[0].name]}`), idLine(id)),
        hits.map(({ name, answer }) => make("section", { class: "panel" },
          make("h2", null, `By ${words[name]}`),
          payloadTable(`Payloads by ${words[name]}`, answer.data.payloads, true),
          answer.data.hasMore && note("These are the newest 50."))),
      ];
    });
    if (isNews) {
      announce(root.querySelector("h1").textContent);
      told(root, isFirst);
    }
    return hits.length > 0;
  }

  function showProblem(id, found, isFirst) {
    const root = byID("payload");
    const isNews = show(root, JSON.stringify(["problem", found]), () =>
      verdict("stalled", make("h1", null, found.status === 503 ? "This payload cannot be looked up just now" : "The lookup failed"), idLine(id),
        note(`${visible(found.problem)}. This page keeps trying.`)));
    if (isNews) {
      announce(`${root.querySelector("h1").textContent}: ${found.problem}`);
      told(root, isFirst);
    }
  }

  function showPayload(payload, history, isFirst) {
    const root = byID("payload");
    // Who served it, and how old it is, is no news.
    const stamp = JSON.stringify([{ ...payload, served_by: "", partition: 0 }, history.data, history.problem]);
    const hadFocus = root.contains(document.activeElement);
    const isNews = show(root, stamp, () => [
      summary(payload), timeline(payload, history.data?.data ?? []), facts(payload), historyOf(history),
    ]);
    document.title = `${OUTCOME_WORDS[payload.outcome] ?? ""}: ${visible(payload.payload_id)} · Payload Tracker`;
    if (isNews) {
      announce(root.querySelector("h1").textContent);
      // A new picture takes the focus along, or a keyboard would start at the top of the page.
      told(root, isFirst || hadFocus, isFirst);
    }
    return isNews;
  }

  function sentence(payload) {
    const { outcome, reason, stages } = payload;
    const took = payload.duration_ms === null ? "" : ` in ${duration(payload.duration_ms)}`;
    if (outcome === "failed" && reason) {
      return ["Failed in ", make("strong", null, stageName(reason)), ": ", reason.status_msg
        ? message(reason.status_msg, 400)
        : ["it said ", foreign(reason.raw_status), " and gave no reason"]];
    }
    if (outcome === "stalled" && reason) {
      return ["Stuck in ", make("strong", null, stageName(reason)), ": nothing since it said ", foreign(reason.raw_status),
        " ", ago(reason.date), reason.status_msg ? [", “", foreign(reason.status_msg), "”"] : ""];
    }
    if (outcome === "stalled") return ["Stuck: nothing has come from ", names(payload.missing_services), " yet"];
    const counted = stages.filter((stage) => !stage.handed_over);
    if (outcome === "completed") return [`Completed${took}: `, count(counted.length, "stage"), " done"];
    const running = counted.filter((stage) => kindOf(stage.status) === "open");
    const done = counted.filter((stage) => stage.status === "success").length;
    if (running.length === 0 && payload.missing_services.length > 0) {
      return ["In progress: waiting for ", names(payload.missing_services)];
    }
    if (running.length === 0) return [`In progress: all ${count(done, "stage")} done so far; it completes when nothing more comes`];
    const latest = running.reduce((left, right) => right.last_date > left.last_date ? right : left);
    return [`In progress: ${number(done)} of ${count(counted.length, "stage")} done, last heard of `, make("strong", null, stageName(latest))];
  }

  function summary(payload) {
    const told = (words, entry) => make("li", null, `${words} `, make("strong", null, stageName(entry)), ": ",
      message(entry.status_msg), " ", make("span", { class: "muted" }, ago(entry.date)));
    const others = payload.failed_stages.slice(payload.outcome === "failed" ? 1 : 0).map((entry) => told("Also failed in", entry));
    const recovered = payload.recovered_failures.map((entry) => told("Recovered from a failure in", entry));
    return verdict(payload.outcome,
      [outcomeBadge(payload.outcome), make("h1", null, sentence(payload)), idLine(payload.payload_id)],
      others.length > 0 && some(others, 4, make("ul"), (item) => item, "failures"),
      payload.outcome !== "stalled" && payload.missing_services.length > 0 && note(["Has not reported yet: ", names(payload.missing_services)].flat().map((part) => part.textContent ?? part).join("")),
      recovered.length > 0 && some(recovered, 3, make("ul"), (item) => item, "recovered failures"));
  }

  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];

  function axis(total) {
    const step = STEPS.find((size) => total / size <= 5) ?? total;
    const marks = make("span", { class: "axis", "aria-hidden": "true" });
    for (let at = 0; at <= total * 0.92; at += step) {
      const mark = make("span", null, at === 0 ? "0" : duration(at).replace(/\.0+ /, " "));
      mark.style.left = `${total > 0 ? at / total * 100 : 0}%`;
      marks.append(mark);
    }
    return marks;
  }

  function timeline(payload, entries) {
    const start = Date.parse(payload.started_at);
    const total = Math.max(payload.duration_ms ?? 0, 1);
    const share = (date) => Math.min(Math.max((Date.parse(date) - start) / total, 0), 1) * 100;
    const stages = payload.stages.toSorted((left, right) =>
      left.first_date.localeCompare(right.first_date) || left.service.localeCompare(right.service));
    const said = Map.groupBy(entries, (entry) => JSON.stringify([entry.service, entry.source]));
    // Services follow the real error with a general one: the first of them tells why.
    const told = (stage) => {
      const telling = kindOf(stage.status) === "failed" && payload.failed_stages.find((entry) => entry.service === stage.service && entry.source === stage.source);
      if (!telling || telling.status_msg === stage.status_msg) return message(stage.status_msg, 180);
      return [message(telling.status_msg, 180), make("span", { class: "source" }, "then: ", message(stage.status_msg, 180))];
    };
    const build = (stage) => {
      const lane = make("span", { class: `lane is-${kindOf(stage.status)}` });
      const length = make("i");
      length.style.left = `${Math.min(share(stage.first_date), 99)}%`;
      length.style.width = `${Math.max(share(stage.last_date) - share(stage.first_date), 0)}%`;
      lane.append(length);
      const offset = Date.parse(stage.first_date) - start;
      for (const entry of (said.get(JSON.stringify([stage.service, stage.source])) ?? []).slice(0, 60)) {
        const mark = make("b", { class: `is-${kindOf(entry.status)}`, title: `${entry.raw_status}, ${duration(Math.max(Date.parse(entry.date) - start, 0))} after the start` });
        mark.style.left = `${share(entry.date)}%`;
        lane.append(mark);
      }
      return row(kindOf(stage.status) === "failed" ? "is-bad" : "",
        cell("service grow", make("strong", null, foreign(stage.service)), stage.source !== null && make("bdi", { class: "source" }, visible(stage.source))),
        cell("status", statusBadge(stage), stage.handed_over && make("span", { class: "source" }, "handed over")),
        cell("track whole-row", lane, make("span", { class: "hidden" }, `starts ${duration(Math.max(offset, 0))} after the payload's first message`)),
        cell("took number", stage.duration_ms > 0 ? duration(stage.duration_ms) : make("span", { class: "muted" }, "at once"),
          make("span", { class: "source" }, count(stage.entries, "message"))),
        cell("whole-row", told(stage)));
    };
    const body = make("tbody", { role: "rowgroup" });
    const shown = some(stages, 60, body, build, "stages");
    const frame = table("The payload's services in the order in which they began", "timeline cards",
      [["Service", "service"], ["Status", "status"], ["", "track"], ["Took", "took"], ["Message", ""]], []);
    frame.querySelector("tbody").replaceWith(body);
    frame.querySelector("th.track").append(make("span", { class: "hidden" }, "When"), axis(total));
    return make("section", { class: "panel", "aria-label": "Services" },
      make("h2", null, `Services, by when they began`), stages.length === 0 ? note("No service has reported yet.") : [frame, shown.slice(1)]);
  }

  function facts(payload) {
    const fact = (name, ...value) => make("div", null, make("dt", null, name), make("dd", null, value));
    const ids = (name, values, isCut) => {
      if (values.length === 0) return fact(name, make("span", { class: "muted" }, "none"));
      const element = fact(`${name} (${isCut ? "the newest " : ""}${number(values.length)})`,
        some(values, 12, make("ul", { class: "ids" }), (value) => make("li", { class: "mono" }, make("a", { href: linkTo(value) }, foreign(value))), "ids"));
      element.className = values.length > 1 ? "wide" : "";
      return element;
    };
    const related = (value) => value === null ? make("span", { class: "muted" }, "none") : make("a", { href: linkTo(value) }, foreign(value));
    const cut = payload.truncated.map((name) => name.replace("_", " ")).join(", ");
    return make("section", { class: "panel", "aria-label": "Details" }, make("h2", null, "Details"),
      make("dl", { class: "facts" },
        fact("Account", related(payload.account)),
        fact("Organisation", related(payload.org_id)),
        fact("First message", payload.started_at ? exact(payload.started_at) : "none"),
        fact("Last message", payload.updated_at ? [exact(payload.updated_at), " · ", ago(payload.updated_at)] : "none"),
        fact("Took", payload.duration_ms === null ? "–" : duration(payload.duration_ms)),
        fact("Status", payload.status),
        fact("Outcomes told", number(payload.revision)),
        fact("Kept in", `partition ${payload.partition}, by `, foreign(payload.served_by)),
        cut !== "" && fact("Cut, because there was too much", cut),
        ids("Inventory ids", payload.inventory_ids, payload.truncated.includes("inventory_ids")),
        ids("System ids", payload.system_ids, payload.truncated.includes("system_ids"))));
  }

  function historyOf(history) {
    const entries = history.data?.data;
    const section = make("section", { class: "panel", "aria-label": "History" }, make("h2", null, "History, newest first"));
    if (!entries) {
      section.append(note(explain(history, "history of it"), true));
      return section;
    }
    const build = (entry) => row(kindOf(entry.status) === "failed" ? "is-bad" : "",
      cell("date", exact(entry.date)), cell("service grow", stageName(entry)), cell("status", statusBadge(entry)), cell("whole-row", message(entry.status_msg)));
    const body = make("tbody", { role: "rowgroup" });
    const shown = some(entries, 40, body, build, "messages");
    const frame = table("Every message about the payload, newest first", "history cards",
      [["Date", "date"], ["Service", "service"], ["Status", "status"], ["Message", ""]], []);
    frame.querySelector("tbody").replaceWith(body);
    section.append(frame, ...shown.slice(1));
    return section;
  }

  // Lists of payloads.

  function payloadRow(payload, withOutcome, isNew) {
    const reason = because(payload);
    return row(isNew ? "is-new" : "",
      cell("when", ago(payload.updated_at)),
      withOutcome && cell("who", outcomeBadge(payload.outcome)),
      cell("which mono", make("a", { class: "short", href: linkTo(payload.payload_id), title: visible(payload.payload_id) }, foreign(payload.payload_id))),
      cell("who", payload.account === null ? make("span", { class: "muted" }, "no account") : foreign(payload.account, "short")),
      cell("whole-row", make("span", { class: "clamp" }, reason.length > 0 ? reason : make("span", { class: "muted" },
        `${payload.outcome === "open" ? "for" : "took"} ${duration(payload.duration_ms ?? 0)}`))));
  }

  function payloadTable(caption, payloads, withOutcome, fresh = new Set()) {
    const columns = [["When", "when"], withOutcome && ["Outcome", "who"], ["Payload", "which"], ["Account", "who"], [withOutcome ? "What came of it" : "Why", ""]].filter(Boolean);
    return table(caption, "lists cards", columns, payloads.map((payload) => payloadRow(payload, withOutcome, fresh.has(payload.payload_id))));
  }

  /** What failed, or what is stuck: asked for every now and then, and kept up from the stream in between. */
  class OutcomeList {
    constructor(outcome, caption, empty, serviceFilter, servicesOf) {
      Object.assign(this, { outcome, caption, empty, serviceFilter, servicesOf, root: byID(outcome) });
      this.reset();
    }

    reset() {
      this.payloads = new Map();
      this.limit = matchMedia("(max-width: 760px)").matches ? 8 : 12;
      this.fresh = new Set();
      this.hasMore = false;
      this.problem = null;
      this.hasAnswer = false;
      show(this.root, "loading", () => note("Looking …"));
    }

    async refresh(signal) {
      const query = { outcome: this.outcome };
      if (here.service) query[this.serviceFilter] = here.service;
      if (here.account) query.account = here.account;
      const asked = performance.now();
      const answer = await askList(query, this.limit, signal);
      if (signal.aborted) return;
      this.problem = answer.status === 200 ? null : explain(answer, "lists of payloads");
      if (answer.status === 200) {
        this.hasAnswer = true;
        this.hasMore = answer.data.hasMore;
        const told = [...this.payloads.values()].filter((payload) => payload.toldAt > asked);
        this.payloads = new Map(answer.data.payloads.map((payload) => [payload.payload_id, payload]));
        for (const payload of told) this.payloads.set(payload.payload_id, payload);
      }
      this.draw();
    }

    /** A payload reached an outcome: it belongs here, or no longer. */
    take(payload) {
      const isWanted = here.service === undefined || here.service === "" || this.servicesOf(payload).includes(here.service);
      if (payload.outcome === this.outcome && isWanted) {
        this.payloads.set(payload.payload_id, { ...payload, toldAt: performance.now() });
        this.fresh.add(payload.payload_id);
      } else {
        this.payloads.delete(payload.payload_id);
      }
    }

    draw() {
      const newest = [...this.payloads.values()].toSorted((left, right) => right.updated_at.localeCompare(left.updated_at));
      const shown = newest.slice(0, this.limit);
      this.payloads = new Map(shown.map((payload) => [payload.payload_id, payload]));
      const stamp = JSON.stringify([shown.map((payload) => [payload.payload_id, payload.updated_at, payload.reason, payload.account]), this.hasMore, newest.length, this.problem, this.hasAnswer]);
      const focused = this.root.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      show(this.root, stamp, () => [
        this.problem && note(this.problem, true),
        shown.length > 0 && payloadTable(this.caption, shown, false, this.fresh),
        shown.length === 0 && !this.problem && note(here.service || here.account ? `${this.empty} that fits what the lists are narrowed down to.` : `${this.empty}.`),
        (this.hasMore || newest.length > shown.length) && this.limit < 500 && this.moreButton(),
        this.limit >= 500 && this.hasMore && note("These are the newest 500."),
      ].filter(Boolean));
      this.fresh = new Set();
      if (focused) this.root.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }

    moreButton() {
      const button = make("button", { type: "button", class: "quiet more" }, "Show more");
      button.addEventListener("click", () => {
        this.limit = Math.min(this.limit * 2, 500);
        this.refresh(visit.signal);
      });
      return button;
    }
  }

  const lists = [
    new OutcomeList("failed", "Payloads that failed, newest first", "No payload is failed", "failed_service",
      (event) => event.failed_stages.map((stage) => stage.service)),
    new OutcomeList("stalled", "Payloads that are stuck, newest first", "No payload is stuck", "service",
      (event) => event.services),
  ];

  // What is counted.

  function refreshTotals(answer) {
    const isThere = answer.status === 200;
    byID("totals").hidden = !isThere;
    byID("totals-note").hidden = isThere;
    if (!isThere) {
      byID("totals-note").textContent = explain(answer, "counts");
      for (const id of ["services", "dead"]) show(byID(id), "none", () => note(explain(answer, "counts")));
      return;
    }
    const { payloads, last_hour: hour, since_start: sinceStart, started_at: start } = answer.data;
    show(byID("totals"), JSON.stringify([payloads.outcomes, hour.outcomes]), () => ["failed", "stalled", "open", "completed"].map((outcome) =>
      make("div", { class: `is-${outcome}` },
        make("dt", null, shape(outcome), OUTCOME_WORDS[outcome]),
        make("dd", { class: "figure" }, number(payloads.outcomes[outcome] ?? 0)),
        make("dd", { class: "muted number" }, outcome === "open" ? "now" : `${number(hour.outcomes[outcome] ?? 0)} told in the last hour`))));
    counted("services", "Payloads by the service that fails them", ["Service", "Now", "Told, last hour"], "No service has failed a payload.",
      payloads.failing_services, hour.failing_services,
      (service) => make("a", { href: narrowed({ service, account: here.account ?? "" }) }, foreign(service)));
    counted("dead", `Messages that could not be taken, by the reason, since ${utc(start)}`, ["Reason", "Since the start", "Last hour"], "No message has been refused.",
      sinceStart.dead_letters, hour.dead_letters, (reason) => foreign(reason));
  }

  function counted(id, caption, titles, empty, all, recent, label) {
    show(byID(id), JSON.stringify([all, recent, here.account]), () => {
      const names = [...new Set([...Object.keys(all), ...Object.keys(recent)])];
      const entries = names.map((name) => [name, all[name] ?? 0]).filter(([name, value]) => value + (recent[name] ?? 0) > 0)
        .toSorted((left, right) => right[1] - left[1]);
      const most = Math.max(...entries.map(([, value]) => value), 1);
      if (entries.length === 0) return note(empty);
      const rows = entries.slice(0, 20).map(([name, value]) => {
        const share = make("span", { class: "share" });
        share.style.width = `${value / most * 100}%`;
        return row("", cell("", label(name), share), cell("end number", number(value)), cell("end number muted", number(recent[name] ?? 0)));
      });
      return [table(caption, id, [[titles[0], ""], [titles[1], "end"], [titles[2], "end"]], rows),
        entries.length > 20 && note(`and ${count(entries.length - 20, "other")}`)].filter(Boolean);
    });
  }

  const PARTITION_KINDS = { running: "completed", restoring: "stalled", standby: "open", unassigned: "failed" };

  function refreshPartitions(answer) {
    if (answer.status !== 200) return show(byID("partitions"), JSON.stringify(answer), () => note(explain(answer, "list of partitions"), true));
    const { data, input } = answer.data;
    return show(byID("partitions"), JSON.stringify(answer.data), () => {
      const sum = (values, of) => values.reduce((total, value) => total + (of(value) ?? 0), 0);
      // An owner that does not answer says nothing of its partitions.
      const stateOf = (partition) => partition.state ?? "silent";
      const states = Map.groupBy(data, stateOf);
      const words = [...states].map(([state, list]) => `${number(list.length)} ${state}`).join(", ");
      const copies = data.flatMap((partition) => partition.standbys);
      const ready = copies.filter((copy) => copy.complete);
      const line = [`${count(data.length, "partition")}: ${words}. Behind by ${count(sum(data, (p) => p.lag), "record")}, by ${count(sum(input, (p) => p.lag), "message")} of the input.`,
        copies.length > 0 && ` ${count(copies.length, "standby", "standbys")}, ${number(ready.length)} complete: ${count(Math.max(0, ...ready.map((copy) => copy.lag)), "record")} behind at most.`].filter(Boolean).join("");
      const known = (value) => value === null ? "–" : number(value);
      const instance = (name, url) => make("bdi", { class: "short", title: visible(url ?? "") }, visible(name));
      const standby = (copy) => make("span", { class: "source" }, instance(copy.instance, copy.url),
        "stands by, ", copy.complete ? copy.lag > 0 ? `${number(copy.lag)} behind` : "up to date" : `${number(copy.lag)} to go until it can answer`);
      // On a phone there is no head to say what a figure is of.
      const figure = (name, value) => cell("end number", make("span", { class: "said muted" }, `${name} `), known(value));
      const rows = data.map((partition) => {
        const kind = PARTITION_KINDS[stateOf(partition)] ?? "failed";
        return row("", cell("number", number(partition.partition)),
          cell("", make("span", { class: `state is-${kind}` }, shape(kind), stateOf(partition)),
            partition.restore_remaining > 0 && make("span", { class: "source muted" }, ` ${number(partition.restore_remaining)} to go`)),
          cell("grow who", partition.owner === null ? make("span", { class: "muted" }, "nobody") : instance(partition.owner, partition.url),
            partition.standbys.map(standby)),
          figure("payloads", partition.payloads), figure("lag", partition.lag),
          figure("input lag", input.find((other) => other.partition === partition.partition)?.lag ?? null));
      });
      return [note(line), make("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Partitions" },
        table("Partitions, who owns them, who stands by and how far behind they are", "partitions cards",
          [["#", "which"], ["State", "state-of"], ["Owner, standbys", "who"], ["Payloads", "end"], ["Lag", "end"], ["Input lag", "end"]], rows))];
    });
  }

  async function refreshReadiness(signal) {
    const { status, data } = await ask("readyz", signal);
    const waiting = status === 503 ? data?.waiting_for ?? [] : [];
    const text = waiting.length > 0 ? `This instance is not ready: ${visible(waiting.join("; "))}.` : "";
    byID("readiness").hidden = text === "";
    if (byID("readiness").textContent !== text) byID("readiness").textContent = text;
  }

  async function refreshOverview() {
    const signal = visit.signal;
    const told = (path, use) => ask(path, signal).then((answer) => { if (!signal.aborted) use(answer); });
    await Promise.all([
      ...lists.map((list) => list.refresh(signal)), refreshReadiness(signal),
      told("v1/summary", refreshTotals), told("v1/partitions", refreshPartitions),
    ]);
  }

  // Outcomes as they arrive. Read with fetch, because EventSource tells neither why it is refused nor lets a page resume.

  const FEED_LENGTH = 100;
  let feed = [];
  let isPaused = false;
  let lastEventID = "";
  let lastPath = "";
  let hiddenAt = 0;
  let stream = new AbortController();
  let isDrawDue = false;
  const fresh = { failed: 0, stalled: 0 };

  function restartStream() {
    const query = new URLSearchParams();
    if (here.service) query.set("service", here.service);
    if (here.account) query.set("account", here.account);
    const path = `v1/outcomes/stream${query.size > 0 ? `?${query}` : ""}`;
    if (stream.path === path && !stream.signal.aborted) return;
    stream.abort();
    stream = new AbortController();
    stream.path = path;
    if (lastPath !== path) {
      feed = [];
      lastEventID = "";
      lastPath = path;
    }
    drawFeed();
    follow(path, stream.signal);
  }

  async function follow(path, signal) {
    let patience = 1000;
    while (!signal.aborted) {
      const trouble = await readStream(path, signal, () => { patience = 1000; });
      if (signal.aborted) return;
      setConnection(false, trouble);
      await new Promise((resolve) => setTimeout(resolve, patience));
      patience = Math.min(patience * 2, 15000);
    }
  }

  /** Returns why it ended, as a sentence. */
  async function readStream(path, signal, onOpen) {
    try {
      const headers = { Accept: "text/event-stream" };
      if (lastEventID) headers["Last-Event-ID"] = lastEventID;
      const response = await fetchWithToken(path, { signal, headers });
      if (!response.ok) {
        // The topic may have been made anew: what comes from now on is better than nothing.
        if (response.status === 400) lastEventID = "";
        const problem = (await response.json().catch(() => null))?.detail ?? response.statusText;
        return response.status === 404 ? "This tracker does not tell of outcomes as they arrive; the lists are asked for every few seconds."
          : `Outcomes do not arrive live just now: ${visible(problem)}. The lists are asked for every few seconds.`;
      }
      onOpen();
      setConnection(true, "");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "The stream of outcomes has ended; connecting again.";
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) readBlock(block);
      }
    } catch {
      return "The tracker does not answer; this page keeps trying.";
    }
  }

  function readBlock(block) {
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) lastEventID = line.slice(4);
      if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data === "") return;
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return;
    }
    takeEvent({ ...event, outcome: event.type.replace("payload-", ""), updated_at: event.ended_at });
  }

  function takeEvent(payload) {
    feed.unshift(payload);
    if (feed.length > FEED_LENGTH) feed.length = FEED_LENGTH;
    for (const list of lists) list.take(payload);
    if (payload.outcome in fresh) fresh[payload.outcome] += 1;
    for (const waker of [...wakers]) if (waker.id === payload.payload_id) waker.wake();
    // A burst is drawn once.
    if (isDrawDue) return;
    isDrawDue = true;
    setTimeout(() => {
      isDrawDue = false;
      if (here.id !== undefined) return;
      for (const list of lists) list.draw();
      drawFeed();
    }, 400);
  }

  function drawFeed() {
    if (isPaused || here.id !== undefined) return;
    const wanted = byID("feed-type").value;
    const events = feed.filter((event) => wanted === "" || event.outcome === wanted);
    show(byID("feed"), JSON.stringify([events.map((event) => event.id), wanted, stream.isLive]), () => events.length === 0
      ? note(stream.isLive ? "Nothing yet: outcomes show up here as they are committed." : "Nothing yet.")
      : table("Outcomes as they arrive, newest first", "lists cards feed", [["Told", "when"], ["Outcome", "who"], ["Payload", ""]],
        events.map((event) => row("", cell("when", ago(event.emitted_at)), cell("who", outcomeBadge(event.outcome)),
          cell("whole-row", make("a", { class: "mono short", href: linkTo(event.payload_id) }, foreign(event.payload_id)),
            make("span", { class: "clamp" }, event.outcome === "completed"
              ? make("span", { class: "muted" }, `${duration(event.duration_ms)}, `, count(event.services.length, "service"))
              : because(event)))))));
  }

  function setConnection(isLive, trouble) {
    stream.isLive = isLive;
    const connection = byID("connection");
    connection.textContent = isLive ? "live" : "not live";
    connection.classList.toggle("live", isLive);
    connection.title = trouble;
    byID("feed-note").hidden = trouble === "";
    byID("feed-note").textContent = trouble;
    drawFeed();
  }

  /** A screen reader hears of new failures now and then, and in one sentence. */
  function announceNews() {
    const parts = [fresh.failed > 0 && `${number(fresh.failed)} failed`, fresh.stalled > 0 && `${number(fresh.stalled)} stuck`].filter(Boolean);
    fresh.failed = 0;
    fresh.stalled = 0;
    if (parts.length > 0 && here.id === undefined) announce(`New outcomes: ${parts.join(", ")}.`);
  }

  // What people do.

  byID("lookup").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = byID("wanted").value.trim();
    if (id === "") return byID("wanted").focus();
    if (location.hash === linkTo(id)) go();
    else location.hash = linkTo(id);
  });
  byID("access").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byID("token").value.trim();
    byID("token").value = "";
    // Others cannot be in a header.
    if (/^[\w.~+/=-]+$/.test(text)) useToken(text);
    else byID("token").focus();
  });
  byID("skip").addEventListener("click", () => byID("main").focus());
  byID("home").addEventListener("click", (event) => {
    event.preventDefault();
    if (location.hash.length > 1) location.hash = "";
  });
  byID("filter").addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = narrowed({ service: byID("filter-service").value.trim().toLowerCase(), account: byID("filter-account").value.trim() });
  });
  byID("filter-clear").addEventListener("click", () => { location.hash = ""; });
  byID("feed-type").addEventListener("change", drawFeed);
  byID("feed-pause").addEventListener("click", () => {
    isPaused = !isPaused;
    byID("feed-pause").setAttribute("aria-pressed", isPaused);
    byID("feed-pause").textContent = isPaused ? "Go on" : "Pause";
    drawFeed();
  });

  // A browser has six connections to a host: a tab that nobody looks at gives its stream's back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenAt = Date.now();
      stream.abort();
      return;
    }
    // After a longer while the lists say more than a thousand events that were missed.
    if (Date.now() - hiddenAt > 300000) lastEventID = "";
    for (const waker of [...wakers]) waker.wake();
    restartStream();
    if (here.id === undefined) refreshOverview();
  });

  addEventListener("hashchange", go);
  setInterval(refreshAges, 1000);
  setInterval(announceNews, 10000);
  setInterval(() => {
    if (document.hidden) return;
    if (here.id === undefined) refreshOverview();
    else refreshReadiness(visit.signal);
  }, 10000);

  // `/?id=…` is for those who cannot write a fragment.
  const given = new URLSearchParams(location.search).get("id");
  if (given !== null) history.replaceState(null, "", `${location.pathname}${given === "" ? "" : linkTo(given)}`);
  go();
})();
