"use strict";
// Draws every map over the photo and follows the sliders and the cursor. Nothing is loaded from elsewhere.
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const colours = bytes(data.colours);
const at = id => document.getElementById(id);
const clamp = x => Math.min(1, Math.max(0, x));
const scale = Math.min(1, 400 / data.width);
const width = Math.max(1, Math.round(data.width * scale)), height = Math.max(1, Math.round(data.height * scale));

// A map's values came as 16-bit steps between its least and its greatest value.
function unpack(cell) {
  const steps = new DataView(bytes(cell.values).buffer);
  const values = new Float32Array(cell.columns * cell.rows);
  for (let i = 0; i < values.length; i++)
    values[i] = cell.low + (cell.high - cell.low) * steps.getUint16(2 * i, true) / 65535;
  return values;
}

// Where a pixel of the canvas lies in the map: shares of its width and height, beyond 0..1 outside of it.
function share(cell, x, y) {
  const [left, top, wide, high] = cell.view;
  return [(x / scale - left) / wide, (y / scale - top) / high];
}

// The map at the canvas's pixels, linear between the centres of its cells; NaN where the model saw nothing.
function field(cell) {
  const out = new Float32Array(width * height).fill(NaN), w = cell.columns, h = cell.rows;
  const taps = (u, n) => {
    const p = Math.min(n - 1, Math.max(0, u * n - 0.5)), i = Math.floor(p);
    return [i, Math.min(n - 1, i + 1), p - i];
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = share(cell, x + 0.5, y + 0.5);
      if (u < 0 || u >= 1 || v < 0 || v >= 1) continue;
      const [x0, x1, r] = taps(u, w), [y0, y1, d] = taps(v, h), m = cell.map;
      const row = j => m[j * w + x0] * (1 - r) + m[j * w + x1] * r;
      out[y * width + x] = row(y0) * (1 - d) + row(y1) * d;
    }
  }
  return out;
}

// The largest connected part of what lies above the threshold, as a box of pixels.
function largest(inside) {
  const seen = new Uint8Array(inside.length), queue = new Int32Array(inside.length);
  let best = null, most = 0;
  for (let start = 0; start < inside.length; start++) {
    if (!inside[start] || seen[start]) continue;
    let head = 0, tail = 0, box = [width, height, 0, 0];
    seen[start] = 1;
    queue[tail++] = start;
    while (head < tail) {
      const i = queue[head++], x = i % width, y = (i - x) / width;
      box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++)
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const n = ny * width + nx;
          if (inside[n] && !seen[n]) { seen[n] = 1; queue[tail++] = n; }
        }
    }
    if (tail > most) { most = tail; best = box; }
  }
  return best;
}

function draw(cell, photo) {
  const context = cell.canvas.getContext("2d"), opacity = +at("opacity").value;
  const image = new ImageData(new Uint8ClampedArray(photo.data), width, height), out = image.data;
  const level = +at("threshold").value * cell.peak;
  const inside = Uint8Array.from(cell.field, v => v > level && cell.peak > 0 ? 1 : 0);
  for (let i = 0; i < inside.length; i++) {
    const value = cell.field[i], p = 4 * i;
    let colour = [0, 0, 0], alpha = 0.56;
    if (!Number.isNaN(value)) {
      const heat = cell.peak > 0 ? clamp(value / (cell.fine ? cell.white : cell.peak)) : 0;
      const c = 3 * Math.round(255 * heat), t = clamp((heat - 0.08) / 0.57);
      colour = cell.fine ? [255 * heat, 255 * heat, 255 * heat] : [colours[c], colours[c + 1], colours[c + 2]];
      alpha = cell.fine ? 1 : opacity * t * t * (3 - 2 * t);
    }
    for (let k = 0; k < 3; k++) out[p + k] += (colour[k] - out[p + k]) * alpha;
  }
  if (!cell.fine && at("region").checked) {
    for (let i = 0; i < inside.length; i++) {
      const x = i % width, edge = (dx, j) => x + dx < 0 || x + dx >= width || !inside[j];
      if (inside[i] && (edge(-1, i - 1) || edge(1, i + 1) || edge(0, i - width) || edge(0, i + width)))
        out.set([255, 255, 255], 4 * i);
    }
  }
  context.putImageData(image, 0, 0);
  const box = !cell.fine && at("box").checked && largest(inside);
  if (box) {
    for (const [line, colour] of [[5, "#101010"], [2.5, "#56b4e9"]]) {
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.strokeRect(box[0] + 2, box[1] + 2, Math.max(1, box[2] - box[0] - 4), Math.max(1, box[3] - box[1] - 4));
    }
  }
}

// Four digits, and a power of ten only where it is needed.
function figure(value) {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e5) ? String(+value.toPrecision(4)) : value.toExponential(2);
}

function follow(section, cells, event) {
  const target = event.target.closest(".picture img, .picture canvas");
  section.classList.toggle("shown", !!target);
  const place = section.querySelector(".place");
  if (!target) {
    place.textContent = "";
    cells.forEach(cell => cell.raw.textContent = "");
    return;
  }
  const box = target.getBoundingClientRect();
  const u = clamp((event.clientX - box.left) / box.width), v = clamp((event.clientY - box.top) / box.height);
  for (const cross of section.querySelectorAll(".cross")) {
    cross.style.left = 100 * u + "%";
    cross.style.top = 100 * v + "%";
  }
  place.textContent = "at " + Math.round(100 * u) + " %, " + Math.round(100 * v) + " % of the photo";
  for (const cell of cells) {
    const [x, y] = share(cell, u * width, v * height);
    const seen = x >= 0 && x < 1 && y >= 0 && y < 1;
    const value = cell.map[Math.floor(y * cell.rows) * cell.columns + Math.floor(x * cell.columns)];
    const part = cell.peak > 0 && value > 0 ? " · " + Math.round(100 * value / cell.peak) + " %" : "";
    cell.raw.textContent = seen ? figure(value) + part : "not seen";
  }
}

function start(img) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.drawImage(img, 0, 0, width, height);
  const photo = context.getImageData(0, 0, width, height), all = [];
  for (const section of document.querySelectorAll("section")) {
    const cells = [];
    for (const canvas of section.querySelectorAll("canvas")) {
      const cell = data.cells[section.dataset.row][canvas.dataset.column];
      [canvas.width, canvas.height] = [width, height];
      cell.canvas = canvas;
      cell.raw = canvas.closest("figure").querySelector(".raw");
      cell.map = unpack(cell);
      cell.field = field(cell);
      cell.peak = cell.field.reduce((top, v) => v > top ? v : top, 0);
      cells.push(cell);
    }
    section.addEventListener("pointermove", event => follow(section, cells, event));
    section.addEventListener("pointerleave", event => follow(section, cells, event));
    all.push(...cells);
  }
  let waiting = false;
  const redraw = () => {
    at("threshold-value").textContent = (+at("threshold").value).toFixed(2);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; all.forEach(cell => draw(cell, photo)); });
  };
  for (const id of ["threshold", "opacity", "region", "box"]) at(id).addEventListener("input", redraw);
  const bar = at("bar").getContext("2d");
  for (let x = 0; x < 160; x++) {
    const c = 3 * Math.round(255 * x / 159);
    bar.fillStyle = "rgb(" + colours[c] + "," + colours[c + 1] + "," + colours[c + 2] + ")";
    bar.fillRect(x, 0, 1, 12);
  }
  redraw();
}

const first = document.querySelector("section img");
if (first) first.decode().then(() => start(first));
