"use strict";
// The page's own search: the cosine of every vector with that of what was clicked. No server, no network.
const data = JSON.parse(document.getElementById("data").textContent);
const {items, rules} = data;
const main = document.getElementById("main");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const KINDS = ["image", "video", "audio", "text"];
const HEADINGS = {image: "Images", video: "Scenes of videos", audio: "Audio", text: "Texts"};
const NAMES = {image: "An image", video: "A scene", audio: "Audio", text: "Words", "text + image": "Words and an image",
  "text file": "A text"};
const FOUND = {image: "an image", video: "a scene", audio: "audio", text: "a text"};

function floats(packed) {
  const bytes = Uint8Array.from(atob(packed), one => one.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({length: bytes.length / 4}, (_, at) => view.getFloat32(4 * at, true));
}

const numbers = floats(data.numbers);
const size = data.vectors.length ? numbers.length / data.vectors.length : 0;
const stored = data.vectors.map(([item, start, end, by], at) =>
  ({item, start, end, by, vector: numbers.subarray(at * size, (at + 1) * size)}));
const lengths = new Map();  // of videos, in seconds
for (const one of stored) if (one.end !== null) lengths.set(one.item, Math.max(lengths.get(one.item) || 0, one.end));

// --- searching -----------------------------------------------------------------------------------------------

function cosine(one, other) {
  let dot = 0, a = 0, b = 0;
  for (let at = 0; at < one.length; at++) {
    dot += one[at] * other[at]; a += one[at] * one[at]; b += other[at] * other[at];
  }
  return a && b ? dot / Math.sqrt(a * b) : 0;
}

function search(vector, kind, without = () => false) {
  const hits = stored.filter(one => items[one.item].kind === kind && !without(one))
    .map(one => ({...one, score: cosine(vector, one.vector)})).sort((a, b) => b.score - a.score);
  return (kind === "video" ? moments(hits.slice(0, rules.deep)) : hits).slice(0, rules.most);
}

// Neighbouring segments of one video become one moment; those far below the best are left out before.
function moments(hits) {
  const best = hits.length ? hits[0].score : 0, least = best > 0 ? rules.near * best : best;
  const near = hits.filter(hit => hit.score >= least).sort((a, b) => a.item - b.item || a.start - b.start);
  const found = [];
  for (const hit of near) {
    const last = found[found.length - 1];
    if (!last || last.item !== hit.item || hit.start - last.end > rules.gap)
      found.push({...hit, options: new Set([hit.by])});
    else {
      last.end = Math.max(last.end, hit.end);
      last.options.add(hit.by);
      if (hit.score > last.score) Object.assign(last, {score: hit.score, vector: hit.vector});
    }
  }
  for (const one of found) one.by = [...one.options].sort().join(",");
  return found.sort((a, b) => b.score - a.score);
}

const best = (vector, item, start, end) => stored
  .filter(one => one.item === item && one.start >= start - 0.01 && one.end <= end + 0.01)
  .reduce((top, one) => !top || cosine(vector, one.vector) > cosine(vector, top.vector) ? one : top, null);

// --- addresses: what is asked stands in the page's address, so that back and reload work --------------------

const address = item => `#item=${encodeURIComponent(items[item].name)}`;
const plain = text => { try { return decodeURIComponent(text); } catch { return null; } };  // an address may be cut
const sceneAddress = one => `#scene=${encodeURIComponent(items[one.item].name)}@${one.start},${one.end},${one.by}`;

function asked() {
  const [sort, rest] = location.hash.slice(1).split(/=(.*)/s);
  if (sort === "query" && data.queries[rest]) return ofQuery(data.queries[rest]);
  if (sort === "item") {
    const item = items.findIndex(one => one.name === plain(rest));
    const own = stored.find(one => one.item === item);
    return own && {title: items[item].name, item, sort: items[item].kind === "text" ? "text file" : items[item].kind,
      lists: everywhere(own.vector, one => one.item === item), vector: own.vector};
  }
  if (sort === "scene") {
    const [, name, start, end, by] = rest.match(/^(.*)@([^,]*),([^,]*),(.*)$/) || [];
    const own = stored.find(one => name && items[one.item].name === plain(name) &&
      one.start === +start && one.end === +end && one.by === by);
    return own && {title: labelled(own), item: own.item, start: own.start, end: own.end, by, sort: "scene",
      vector: own.vector, lists: everywhere(own.vector, one =>
        one.item === own.item && one.start < own.end && own.start < one.end)};
  }
  return null;
}

function everywhere(vector, without) {
  const lists = {};
  for (const kind of KINDS) {
    const hits = search(vector, kind, without);
    if (hits.length) lists[kind] = [{by: [], hits}];
  }
  return lists;
}

function ofQuery(query) {
  const vector = query.vector ? floats(query.vector) : null, lists = {};
  for (const kind of Object.keys(query.lists))
    lists[kind] = query.lists[kind].map(({by, hits}) => ({by, hits: hits.map(([item, score, start, end, way]) =>
      ({item, score, start, end, by: way, vector: vector && start !== null ? best(vector, item, start, end) : null}))}));
  return {...query, vector, lists};
}

// --- what is shown -------------------------------------------------------------------------------------------

function element(tag, given = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given))
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  made.append(...inside.filter(one => one !== null && one !== undefined));
  return made;
}

const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const span = one => `${clock(one.start)}–${clock(one.end)}`;
const labelled = one => items[one.item].name +
  (one.start === null || one.start === undefined ? "" : `, ${span(one)}`);

// A name in a caption: of four lines at most, broken after a folder first.
const caption = (label, more = "") => element("span", {class: "name", title: label},
  ...label.split(/(?<=[/])/).flatMap((part, at) => at ? [element("wbr"), part] : [part]), more);

const addresses = new Map();  // one blob for each file, however often it is shown
function mediaOf(item) {
  if (!addresses.has(item)) {
    const [, kind, packed] = items[item].media.match(/^data:([^;]*);base64,(.*)$/s);
    const bytes = Uint8Array.from(atob(packed), one => one.charCodeAt(0));
    addresses.set(item, URL.createObjectURL(new Blob([bytes], {type: kind})));
  }
  return addresses.get(item);
}

// A file or a moment as something to click; ``to`` is the address of the search by it.
function shown(one, to) {
  const item = items[one.item], label = labelled(one);
  const box = element(to ? "a" : "div", {class: `face ${item.kind}`, href: to, "aria-label": to && `Search by ${label}`});
  const whole = element("div", {class: "shown"}, box);
  if (item.kind === "image") box.append(element("img", {src: item.image, alt: item.name}));
  if (item.kind === "text") box.append(element("blockquote", {}, item.text.length > 240
    ? `${item.text.slice(0, 239).trimEnd()}…` : item.text));
  if (item.kind === "video" || item.kind === "audio") playable(whole, box, one, item, label);
  if (to && item.kind === "text") box.setAttribute("aria-label", `Search by ${label}: ${item.text.slice(0, 240)}`);
  return whole;
}

let playing = null;
function playable(whole, box, one, item, label) {
  const video = item.kind === "video", length = video ? lengths.get(one.item) || 0 : item.seconds;
  const ranged = one.start !== null && one.start !== undefined, from = ranged ? one.start : 0;
  const to = ranged ? one.end : Infinity;
  const still = video && (item.stills[from] || Object.values(item.stills)[0]);
  const player = element(item.kind, {preload: "none", playsinline: true, poster: still, tabindex: -1,
    "data-item": item.name, "data-from": from, "data-to": ranged ? to : null});
  box.append(player);
  if (video && still) player.before(element("img", {class: "still", src: still, alt: `A still of ${label}`}));
  if (!video) box.append(bars(item, label));
  const head = element("i", {class: "head"});
  const track = element("div", {class: "track", "aria-hidden": "true"}, head);
  if (ranged && length) track.append(element("i", {class: "found",
    style: `left:${100 * from / length}%;width:${100 * (Math.min(to, length) - from) / length}%`}));
  whole.append(track);
  if (!item.media) {
    whole.append(element("p", {class: "soft"}, "Too large a file to be in this page."));
    return;
  }
  const button = element("button", {class: "play", type: "button"});
  const state = on => {
    button.textContent = on ? "❚❚" : "▶";
    button.setAttribute("aria-label", `${on ? "Pause" : "Play"} ${label}`);
    whole.classList.toggle("playing", on);
  };
  // Pointing at it is a preview, which ends when the pointer leaves; the button plays on.
  let preview = false;
  const stop = () => player.pause();
  const play = async quiet => {
    preview = quiet;
    if (playing && playing !== player) playing.pause();
    playing = player;
    if (!player.src) player.src = mediaOf(one.item);
    if (player.currentTime < from || player.currentTime >= Math.min(to, player.duration || Infinity) - 0.05)
      player.currentTime = from;
    player.muted = false;
    whole.classList.add("begun");
    try { await player.play(); } catch (error) {
      if (error.name !== "NotAllowedError" || !quiet || !video) return;
      player.muted = true;  // before the first click browsers play without sound only
      await player.play().catch(() => {});
    }
  };
  const look = () => {
    head.style.left = `${100 * Math.min(1, player.currentTime / (length || player.duration || 1))}%`;
    if (player.currentTime >= to && !player.paused) stop();
    if (!player.paused) requestAnimationFrame(look);
  };
  player.addEventListener("play", () => { state(!preview); look(); });
  player.addEventListener("timeupdate", look);
  player.addEventListener("pause", () => state(false));
  button.addEventListener("click", () => {
    if (player.paused) play(false);
    else if (!preview) stop();
    else {
      preview = player.muted = false;
      state(true);
    }
  });
  whole.addEventListener("pointerenter", event => {
    if (event.pointerType === "mouse" && !calm.matches && player.paused) play(true);
  });
  whole.addEventListener("pointerleave", event => { if (preview) stop(); });
  state(false);
  whole.append(button);
}

function bars(item, label) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("viewBox", `0 0 ${4 * Math.max(1, item.bars.length)} 100`);
  made.setAttribute("preserveAspectRatio", "none");
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", `Loudness of ${label}`);
  item.bars.forEach((loud, at) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const high = Math.max(3, loud);
    for (const [name, value] of Object.entries({x: 4 * at + 0.5, y: 50 - high / 2, width: 3, height: high}))
      bar.setAttribute(name, value);
    made.append(bar);
  });
  return made;
}

function hitCard(hit, top) {
  const weak = hit.score < Math.max(rules.near * top, rules.least);
  const to = hit.start === null || hit.start === undefined ? address(hit.item)
    : hit.vector ? sceneAddress(hit.vector.by ? hit.vector : best(hit.vector, hit.item, hit.start, hit.end)) : null;
  const way = hit.by ? ` (${hit.by.replaceAll(",", ", ")})` : "";
  return element("li", {class: weak ? "card weak" : "card", "data-label": labelled(hit)}, shown(hit, to),
    element("p", {class: "caption"}, caption(labelled(hit), way + (weak ? ", weak" : "")),
      element("b", {}, hit.score.toFixed(2))),
    element("div", {class: "meter", "aria-hidden": "true"},
      element("i", {style: `width:${100 * Math.max(0, Math.min(1, hit.score))}%`})));
}

function list({by, hits}, compared) {
  const top = hits.length ? hits[0].score : 0;
  return element("div", {class: "list"}, compared ? element("h4", {}, by.join(" and ")) : null,
    hits.length && top < rules.least ? element("p", {class: "soft"}, "Nothing near.") : null,
    hits.length ? element("ol", {class: "cards"}, ...hits.map(hit => hitCard(hit, top))) : element("p", {}, "Nothing."));
}

function code(what, kind, open) {
  const lines = data.code[`${what.sort}>${kind}`];
  const asked = {TEXT: what.text || "", FILE: what.item === null ? "" : items[what.item].name};
  const put = text => text.replace(/TEXT|FILE/g, found => JSON.stringify(asked[found]));
  return lines ? element("details", {class: "code", open}, element("summary", {}, "The code that makes this list"),
    element("div", {class: "sides"}, ...Object.entries(lines).map(([framework, text]) =>
      element("div", {}, element("h4", {}, framework), element("pre", {tabindex: 0}, element("code", {}, put(text))))))) : null;
}

function results(what) {
  const head = element("div", {class: "asked"},
    what.item === null || what.item === undefined ? null : shown(what, null),
    element("div", {}, element("p", {class: "soft"}, "Searched by"),
      element("h2", {tabindex: -1}, what.text ? `“${what.text}”` : what.title),
      what.text && what.item !== null ? element("p", {class: "soft"}, `and ${items[what.item].name}`) : null));
  const sections = Object.entries(what.lists).map(([kind, lists], at) => element("section", {"data-kind": kind},
    element("h3", {}, HEADINGS[kind]),
    element("div", {class: lists.length > 1 ? "sides" : ""}, ...lists.map(one => list(one, lists.length > 1))),
    code(what, kind, at === 0)));
  return [element("p", {}, element("a", {class: "back", href: "#"}, "← All there is to ask")), head, ...sections];
}

function start() {
  const striking = data.queries.filter(query => query.striking);
  const first = (striking.length ? striking : data.queries.slice(0, 3));
  const features = first.map(query => {
    const what = ofQuery(query), kinds = Object.keys(what.lists), best = kind => what.lists[kind][0].hits[0];
    const near = kind => best(kind) && best(kind).score >= rules.least;
    const kind = query.striking || kinds.find(near) || kinds[0], hit = best(kind), to = `#query=${data.queries.indexOf(query)}`;
    const finds = `${NAMES[query.sort]} ${query.sort === "text" || query.sort.includes("+") ? "find" : "finds"} ${
      near(kind) ? FOUND[kind] : "nothing near"}`;
    const from = element("div", {class: "from"},
      query.item === null ? null : shown({item: query.item}, to),
      query.text ? element("a", {class: "face words", href: to}, `“${query.text}”`) : null);
    return element("li", {class: "feature", "data-title": query.title}, element("h3", {}, element("a", {href: to}, finds)),
      element("div", {class: "pair"}, from, element("span", {class: "arrow", "aria-hidden": "true"}, "→"),
        hit ? shown(hit, to) : element("p", {}, "Nothing.")),
      element("p", {class: "caption"}, caption(query.item === null ? "" : items[query.item].name),
        hit ? caption(labelled(hit), ` · ${hit.score.toFixed(2)}`) : ""));
  });
  const others = data.queries.filter(query => !first.includes(query)).map(query => element("li", {},
    element("a", {class: "chip", href: `#query=${data.queries.indexOf(query)}`}, query.title)));
  return [
    first.length ? element("ul", {class: "features", "aria-label": "The most striking"}, ...features) : "",
    others.length ? element("section", {}, element("h2", {}, "More to ask"), element("ul", {class: "chips"}, ...others)) : "",
    ...KINDS.map(kind => [kind, kind === "video" ? scenes() : items.map((item, at) => ({item: at}))
      .filter(one => items[one.item].kind === kind)])
      .filter(([, all]) => all.length).map(([kind, all]) => element("section", {"data-all": kind},
        element("h2", {}, HEADINGS[kind]), element("ul", {class: "cards small"}, ...all.map(one =>
          element("li", {class: "card", "data-label": labelled(one)},
            shown(one, one.by ? sceneAddress(one) : address(one.item)),
            element("p", {class: "caption"}, caption(labelled(one)))))))),
  ];
}

// Each scene once: what is seen if that has a vector, else what is heard or said.
function scenes() {
  const ways = new Map();
  for (const one of stored) if (one.start !== null && (!ways.has(one.item) || one.by === "visual")) ways.set(one.item, one.by);
  return stored.filter(one => one.start !== null && one.by === ways.get(one.item));
}

let shownBefore = false;
function show() {
  const what = asked();
  playing = null;
  main.replaceChildren(...(what ? results(what) : start()));
  document.body.classList.toggle("home", !what);
  document.title = what ? `${what.title}: what it finds` : "Images, video, audio and text, found by one another";
  if (shownBefore) {
    scrollTo(0, 0);
    (main.querySelector(".asked h2") || main).focus({preventScroll: true});
  }
  shownBefore = true;
}

// A link within the page is no search.
document.querySelector("[data-about]")?.addEventListener("click", event => {
  event.preventDefault();
  document.getElementById("about").scrollIntoView();
});
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", show);
addEventListener("keydown", event => { if (event.key === "Escape" && location.hash) location.hash = ""; });
show();
