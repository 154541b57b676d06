// The last minutes as one small area chart an emotion, drawn on a canvas in the colours of the style sheet.
const SECONDS = 300;
const LABEL_PX = 76;

export class Timeline {
  #canvas;
  #text;
  #points = [];
  #second = 0;
  #tones = new Map();

  constructor(canvas, text) {
    this.#canvas = canvas;
    this.#text = text;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#tones.clear();
      this.draw();
    });
  }

  replace(points, second) {
    this.#points = points.filter((one) => one.second > second - SECONDS);
    this.#second = second;
    this.draw();
    this.#describe();
  }

  add(point, second) {
    const last = this.#points.at(-1);
    if (second === this.#second && (!point || point.second === last?.second)) return;
    if (point && point.second !== last?.second) this.#points.push(point);
    this.#points = this.#points.filter((one) => one.second > second - SECONDS);
    this.#second = second;
    this.draw();
    if (second % 5 === 0) this.#describe();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const line = style.getPropertyValue("--line");
    const labels = Object.keys(this.#points.findLast((point) => point.scores)?.scores ?? {});
    const rows = Math.max(1, labels.length);
    const step = height / rows;
    const x = (second) => LABEL_PX + ((second - this.#second + SECONDS) / SECONDS) * (width - LABEL_PX);
    pen.font = `14px ${style.fontFamily}`;
    pen.textBaseline = "alphabetic";
    labels.forEach((label, row) => {
      const base = Math.round((row + 1) * step) - 0.5;
      const tall = step - 5;
      pen.fillStyle = style.color;
      pen.fillText(label, 0, base - 3);
      pen.fillStyle = this.#tone(label);
      for (const point of this.#points) {
        if (!point.scores) continue;
        const left = x(point.second);
        const size = tall * point.scores[label];
        pen.fillRect(Math.max(LABEL_PX, left), base - size, Math.max(1, x(point.second + 1) - left + 0.3), size);
      }
      pen.strokeStyle = line;
      pen.beginPath();
      pen.moveTo(LABEL_PX, base);
      pen.lineTo(width, base);
      pen.stroke();
    });
  }

  // The same in words, for those who cannot see the chart.
  #describe() {
    const seen = this.#points.filter((point) => point.scores);
    if (!seen.length) {
      this.#canvas.setAttribute("aria-label", "No faces in the last five minutes");
      this.#text.textContent = "No faces yet.";
      return;
    }
    const means = Object.keys(seen.at(-1).scores).map((label) => [
      label,
      seen.reduce((sum, point) => sum + (point.scores[label] ?? 0), 0) / seen.length,
    ]);
    const words = means.sort((a, b) => b[1] - a[1]).slice(0, 3).map(([label, mean]) => `${label} ${Math.round(mean * 100)}\u00a0%`);
    const text = `A face in ${seen.length} of ${Math.max(seen.length, this.#points.length)} seconds; on average ${words.join(", ")}.`;
    this.#text.textContent = text;
    this.#canvas.setAttribute("aria-label", text);
  }

  #tone(label) {
    if (!this.#tones.has(label)) {
      const probe = document.createElement("i");
      probe.dataset.emotion = label;
      this.#canvas.parentElement.append(probe);
      const name = getComputedStyle(probe).getPropertyValue("--tone").trim();
      probe.remove();
      this.#tones.set(label, name);
    }
    return this.#tones.get(label);
  }
}
