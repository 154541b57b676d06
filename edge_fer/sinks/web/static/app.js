// The live part of the page: picture, bars, health. Photos are in photo.js, the timeline is drawn by timeline.js.
import { Timeline } from "/timeline.js";
import { watchPhotos } from "/photo.js";

const QUIET_MS = 6000; // Changes are announced to a screen reader at most this often.
const RETRY_MS = 5000;
const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(share * 100)}\u00a0%`;
const timeline = new Timeline(byId("timeline"), byId("time-text"));
let events = null;
let paused = false;
let pictureFailed = false;
let retry = 0;
let lastTold = { text: "", at: 0 };

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setState(state, text) {
  byId("state").dataset.state = state;
  setText(byId("state"), text);
}

// The picture -------------------------------------------------------------------------------------------------------

function showPicture(on) {
  const stream = byId("stream");
  pictureFailed = false;
  if (on) stream.src = `/stream.mjpg?${Date.now()}`;
  else stream.removeAttribute("src");
}

function setPaused(on) {
  const stream = byId("stream");
  const frozen = byId("frozen");
  if (on && stream.naturalWidth > 0) {
    frozen.width = stream.naturalWidth;
    frozen.height = stream.naturalHeight;
    frozen.getContext("2d").drawImage(stream, 0, 0);
  }
  paused = on;
  frozen.hidden = !on;
  stream.hidden = on;
  byId("pause").setAttribute("aria-pressed", String(on));
  showPicture(!on);
}

function coverPicture(text) {
  const cover = byId("no-picture");
  cover.hidden = !text;
  setText(cover, text);
}

// Bars --------------------------------------------------------------------------------------------------------------

function makeRow(label) {
  const row = document.createElement("tr");
  row.dataset.emotion = label;
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = label;
  const middle = document.createElement("td");
  const track = document.createElement("div");
  track.className = "track";
  const fill = document.createElement("div");
  fill.className = "fill";
  track.append(fill);
  middle.append(track);
  row.append(name, middle, document.createElement("td"));
  return row;
}

function showScores(face) {
  const body = byId("bars");
  const table = body.parentElement;
  table.classList.toggle("empty", !face);
  byId("no-face").hidden = Boolean(face);
  if (!face) {
    for (const row of body.rows) {
      row.classList.remove("best");
      row.querySelector(".fill").style.width = "0";
      setText(row.cells[2], "–");
    }
    return;
  }
  const labels = Object.keys(face.scores);
  if ([...body.rows].map((row) => row.dataset.emotion).join() !== labels.join()) {
    body.replaceChildren(...labels.map(makeRow));
  }
  for (const row of body.rows) {
    const share = face.scores[row.dataset.emotion];
    row.classList.toggle("best", row.dataset.emotion === face.emotion);
    row.querySelector(".fill").style.width = `${share * 100}%`;
    setText(row.cells[2], percent(share));
  }
}

function chosenFace(faces) {
  const select = byId("face");
  const ids = faces.map((face) => face.id).filter((id) => id !== null).sort((a, b) => a - b);
  if (document.activeElement !== select) {
    // A face that was chosen stays in the list when it is out of sight.
    const known = select.value && !ids.includes(Number(select.value)) ? [...ids, Number(select.value)] : ids;
    const wanted = ["", ...known.map(String)];
    if ([...select.options].map((option) => option.value).join() !== wanted.join()) {
      const value = select.value;
      select.replaceChildren(...wanted.map((id) => new Option(id ? `Face ${id}` : "Largest face", id)));
      select.value = value;
    }
  }
  const area = (face) => face.box[2] * face.box[3];
  if (select.value) return faces.find((face) => String(face.id) === select.value);
  return faces.reduce((best, face) => (!best || area(face) > area(best) ? face : best), undefined);
}

// Words -------------------------------------------------------------------------------------------------------------

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

function facts(health) {
  const { camera, stages, board } = health;
  const rows = [
    [camera.live ? "Camera" : "Source", `${camera.up ? "up" : "no frames"} for ${duration(camera.since_seconds)}`, !camera.up],
    ["Frames per second", health.fps.toFixed(1)],
    ["Time per frame", stages.total === null ? "–" : `${stages.total.toFixed(1)} ms (search ${stages.detect.toFixed(1)}, read ${stages.classify.toFixed(1)})`],
    ["Frames", health.frames.toLocaleString()],
    ["Dropped", Object.entries(health.dropped).map(([reason, count]) => `${reason} ${count.toLocaleString()}`).join(", ") || "none"],
    ["Running for", duration(health.uptime_seconds)],
    ["Model", [health.model, health.engine && `(${health.engine})`].filter(Boolean).join(" ")],
    ["Version", health.version],
  ];
  if (camera.problem) rows.splice(1, 0, ["Problem", camera.problem, true]);
  if (camera.reopened) rows.splice(1, 0, ["Reopened", `${camera.reopened} times`]);
  const failures = health.sinks.filter((sink) => sink.failures).map((sink) => `${sink.name} ${sink.failures}`);
  if (failures.length) rows.push(["Failures", failures.join(", "), true]);
  if (board.temperature_celsius !== null) rows.push(["Temperature", `${board.temperature_celsius.toFixed(1)} °C`]);
  if (board.throttled !== null) rows.push(["Held back by", board.throttled.join(", ") || "nothing", board.throttled.length > 0]);
  return rows;
}

function showFacts(rows) {
  const list = byId("facts");
  const names = [...list.querySelectorAll("dt")].map((name) => name.textContent);
  if (names.join() !== rows.map((row) => row[0]).join()) {
    list.replaceChildren(...rows.flatMap(([name]) => {
      const term = document.createElement("dt");
      term.textContent = name;
      return [term, document.createElement("dd")];
    }));
  }
  const values = list.querySelectorAll("dd");
  rows.forEach(([, value, bad], index) => {
    setText(values[index], value);
    values[index].classList.toggle("bad", Boolean(bad));
  });
}

function tell(text) {
  const now = Date.now();
  if (text === lastTold.text || now - lastTold.at < QUIET_MS) return;
  lastTold = { text, at: now };
  setText(byId("news"), text);
}

function show(state) {
  const { health, observation } = state;
  const up = health.camera.up;
  const faces = observation && up ? observation.faces : [];
  const count = faces.length === 1 ? "1 face" : `${faces.length} faces`;
  setText(byId("source"), health.camera.name);
  setState(up ? "up" : "down", up ? "Live" : "No frames");
  coverPicture(up ? (pictureFailed ? "The picture did not come. Trying again …" : "") : health.camera.problem || "No frames come.");
  setText(byId("live-hint"), up ? `${count}, ${health.fps.toFixed(0)} frames per second` : "");
  const face = chosenFace(faces);
  showScores(face);
  showFacts(facts(health));
  byId("sign-out").hidden = !state.sign_in;
  if (state.timeline) timeline.replace(state.timeline, state.second);
  else timeline.add(state.latest, state.second);
  tell(up ? (face ? `${count}. ${face.emotion}` : "No face in sight.") : "No frames come.");
}

// Connection --------------------------------------------------------------------------------------------------------

async function connect() {
  disconnect();
  try {
    const response = await fetch("/api/state");
    if (response.status === 401) {
      location.assign("/login");
      return;
    }
    if (!response.ok) throw new Error((await response.json()).detail);
    show(await response.json());
  } catch {
    lost();
    return;
  }
  if (!paused) showPicture(true);
  events = new EventSource("/api/events");
  events.addEventListener("state", (event) => show(JSON.parse(event.data)));
  events.addEventListener("error", lost);
}

function lost() {
  disconnect();
  setState("down", "Not connected");
  coverPicture("The connection to edge-fer is lost. Trying again …");
  tell("The connection is lost.");
  retry = setTimeout(connect, RETRY_MS);
}

function disconnect() {
  clearTimeout(retry);
  if (events) events.close();
  events = null;
}

byId("stream").addEventListener("error", () => {
  if (!byId("stream").hasAttribute("src")) return;
  pictureFailed = true;
  setTimeout(() => pictureFailed && !paused && !document.hidden && showPicture(true), RETRY_MS);
});
byId("pause").addEventListener("click", () => setPaused(!paused));
byId("face").addEventListener("change", () => showScores(undefined));
// A page that nobody sees costs the device nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    disconnect();
    if (!paused) showPicture(false);
  } else {
    connect();
  }
});
watchPhotos();
// A picture without an end that began earlier would keep the page loading.
if (document.readyState === "complete") connect();
else addEventListener("load", connect);
