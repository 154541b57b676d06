// A photo that is dropped, pasted or chosen goes to /api/predict and comes back annotated; nothing of it is kept.
const byId = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(share * 100)}\u00a0%`;
let shown = "";
let asking = null;

function say(text, bad = false) {
  const status = byId("photo-status");
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

function asBlob({ type, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type });
}

function cell(kind, text, small) {
  const element = document.createElement(kind);
  element.textContent = text;
  if (small) {
    const detail = document.createElement("small");
    detail.textContent = small;
    element.append(detail);
  }
  return element;
}

function show(result) {
  const count = result.faces.length;
  const picture = byId("photo-picture");
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(asBlob(result.annotated));
  picture.src = shown;
  picture.alt = count ? "The photo with a box and the best emotions at each face" : "The photo; no face was found";
  byId("photo-faces").replaceChildren(...result.faces.map((face, index) => {
    const row = document.createElement("tr");
    const number = cell("th", `${index + 1}`);
    number.scope = "row";
    row.append(number, ...face.top.map(([label, share]) => cell("td", label, percent(share))));
    return row;
  }));
  byId("photo-faces").closest("table").hidden = count === 0;
  byId("photo-result").hidden = false;
  const best = result.faces.map((face) => face.top[0][0]).join(", ");
  const found = count === 1 ? "1 face" : `${count} faces`;
  say(count ? `${found}: ${best}.` : "No face was found. Try a photo with larger or less turned faces.");
}

async function send(file) {
  if (!file) return;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  say("Looking at the photo …");
  try {
    const response = await fetch("/api/predict?annotated=1", {
      method: "POST",
      headers: { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
      body: file,
      signal,
    });
    const answer = await response.json();
    if (response.ok) show(answer);
    else say(`${answer.title}: ${answer.detail}.`, true);
  } catch (error) {
    if (!signal.aborted) say("The photo did not get through: is edge-fer still running, and the photo below 16 MB?", true);
  }
}

export function watchPhotos() {
  const drop = byId("drop");
  const input = byId("photo");
  input.addEventListener("change", () => {
    send(input.files[0]);
    input.value = ""; // The same photo may be chosen again.
  });
  // Dropped anywhere, so that a near miss does not replace the page by the photo.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    byId("photo-card").scrollIntoView({ block: "nearest" });
    send(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) send(file);
  });
}
