// Drawing over (or under) a chart: what moves is drawn here, on a canvas of its own, while the chart beneath stays.
export function theme() {
  const style = getComputedStyle(document.body);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    dark: document.body.classList.contains("body--dark"),
    ink: read("--ink"),
    muted: read("--muted"),
    line: read("--hair"),
    paper: read("--paper"),
    low: read("--low"),
    high: read("--high"),
    colours: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => read(`--c${number}`)),
    font: style.fontFamily,
    scale: parseFloat(style.fontSize) / 14,
  };
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export function rgb(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  const hex = probe.fillStyle;
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// A small picture of size[0] x size[1] dots; paint(index) gives [red, green, blue, opacity], the lowest row first.
export function bitmap(size, paint) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(...size);
  for (let index = 0; index < size[0] * size[1]; index++) {
    const [column, row] = [index % size[0], Math.floor(index / size[0])];
    image.data.set(paint(index), 4 * ((size[1] - 1 - row) * size[0] + column));
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// The part of a leg, from one place to another, that lies within [left, right, top, bottom]; null where none does. It
// keeps its direction, however far the leg goes (Liang and Barsky 1984).
export function within([x, y], [toX, toY], [left, right, top, bottom]) {
  const [across, down] = [toX - x, toY - y];
  if (!Number.isFinite(across) || !Number.isFinite(down)) return null;
  let [from, to] = [0, 1];
  for (const [step, room] of [[-across, x - left], [across, right - x], [-down, y - top], [down, bottom - y]]) {
    if (step === 0 && room < 0) return null;
    if (step < 0) from = Math.max(from, room / step);
    if (step > 0) to = Math.min(to, room / step);
  }
  if (from > to) return null;
  const place = (share) => (share === 1 ? [toX, toY] : [x + share * across, y + share * down]);
  return [place(from), place(to)];
}

export class Layer {
  constructor(chart, below = false) {
    this.chart = chart;
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas.style, { position: "absolute", inset: "0", pointerEvents: "none" });
    if (below) chart.getDom().prepend(this.canvas);
    else chart.getDom().append(this.canvas);
    this.context = this.canvas.getContext("2d");
  }

  // What the axes span; draw(layer) is called at once and again whenever the size changes.
  frame(x, y, log = false) {
    this.span = { x, y: log ? y.map(Math.log10) : y, log };
    this.fit();
  }

  fit() {
    const [width, height] = [this.chart.getWidth(), this.chart.getHeight()];
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!this.span) return;
    const { x, y, log } = this.span;
    const end = (value) => (log ? 10 ** value : value);
    const from = this.chart.convertToPixel({ gridIndex: 0 }, [x[0], end(y[0])]);
    const to = this.chart.convertToPixel({ gridIndex: 0 }, [x[1], end(y[1])]);
    if (!from || !to) {
      this.box = null; // hidden: it is fitted and drawn once it has a size
      return;
    }
    this.box = { left: from[0], bottom: from[1], right: to[0], top: to[1] };
  }

  at([x, y]) {
    const { span, box } = this;
    const across = (x - span.x[0]) / (span.x[1] - span.x[0] || 1);
    const up = ((span.log ? Math.log10(y) : y) - span.y[0]) / (span.y[1] - span.y[0] || 1);
    return [box.left + across * (box.right - box.left), box.bottom + up * (box.top - box.bottom)];
  }

  // Clear, then draw inside the axes.
  draw(paint) {
    const { context, box } = this;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!box) return;
    context.save();
    context.beginPath();
    context.rect(box.left - 7, box.top - 7, box.right - box.left + 14, box.bottom - box.top + 14);
    context.clip();
    paint(this);
    context.restore();
  }

  line(points, colour, width = 2.5, dash = []) {
    const { context } = this;
    context.beginPath();
    let [before, end] = [null, null];
    for (const point of points) {
      const here = point[0] === null || point[1] === null ? null : this.at(point);
      const leg = before && here && within(before, here, this.around());
      if (leg) {
        if (!end || end[0] !== leg[0][0] || end[1] !== leg[0][1]) context.moveTo(...leg[0]);
        context.lineTo(...leg[1]);
      }
      end = leg ? leg[1] : null;
      before = here;
    }
    context.setLineDash(dash);
    context.lineWidth = width;
    context.lineJoin = "round";
    context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
  }

  // The axes and as much again on every side: beyond it nothing is drawn.
  around() {
    const { left, right, top, bottom } = this.box;
    const [wide, high] = [right - left, bottom - top];
    return [left - wide, right + wide, top - high, bottom + high];
  }

  dots(points, colour, radius, { hollow = false, opacity = 1, rim = null } = {}) {
    const { context } = this;
    context.globalAlpha = opacity;
    context.lineWidth = 1.6;
    for (const point of points) {
      if (point[0] === null || point[1] === null) continue;
      context.beginPath();
      context.arc(...this.at(point), radius, 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.strokeStyle = rim ?? colour;
      if (!hollow) context.fill();
      if (hollow || rim) context.stroke();
    }
    context.globalAlpha = 1;
  }

  // A picture over the whole of the axes.
  image(picture) {
    const { context, box } = this;
    context.imageSmoothingEnabled = true;
    context.drawImage(picture, box.left, box.top, box.right - box.left, box.bottom - box.top);
  }

  // A remark in the middle, on paper of its own: points may lie there.
  note(text, { font, muted, paper }) {
    const { context, box } = this;
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    context.font = `14px ${font}`;
    context.textAlign = "center";
    const { width } = context.measureText(text);
    context.fillStyle = paper;
    context.fillRect(x - width / 2 - 8, y - 18, width + 16, 28);
    context.fillStyle = muted;
    context.fillText(text, x, y);
  }

  upright(x, colour) {
    const { context, box } = this;
    const [at] = this.at([x, this.span.log ? 10 ** this.span.y[0] : this.span.y[0]]);
    context.beginPath();
    context.moveTo(at, box.top);
    context.lineTo(at, box.bottom);
    context.lineWidth = 1;
    context.strokeStyle = colour;
    context.stroke();
  }
}

// Asks for one picture at a time: what comes while one is being drawn waits, and only the newest is asked for.
let serials = 0;

export class Turns {
  constructor(ask) {
    this.ask = ask;
    this.flying = this.waiting = null;
    this.heard = (event) => event.detail === this.flying && this.land();
    window.addEventListener("descend:drawn", this.heard);
  }

  send(value) {
    if (this.flying !== null) {
      this.waiting = { value };
      return;
    }
    this.flying = `turn-${++serials}`;
    this.ask(value, this.flying);
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.land(), 1500); // what is fitted elsewhere draws nothing at once
  }

  land() {
    this.flying = null;
    const next = this.waiting;
    this.waiting = null;
    if (next !== null) this.send(next.value);
  }

  end() {
    clearTimeout(this.patience);
    window.removeEventListener("descend:drawn", this.heard);
  }
}
