"use strict";
(() => {
  const form = document.getElementById("tools");
  const list = document.getElementById("list");
  const exams = [...list.children];
  const field = form.elements;
  const number = (exam, key) => Number(exam.dataset[key]);
  const orders = {
    place: (a, b) => number(a, "place") - number(b, "place"),
    id: (a, b) => a.dataset.id.localeCompare(b.dataset.id, undefined, { numeric: true }),
    dense: (a, b) => number(b, "dense") - number(a, "dense"),
    doubt: (a, b) => number(a, "doubt") - number(b, "doubt"),
  };

  const filter = () => {
    const wanted = field.find.value.trim().toLowerCase();
    let shown = 0;
    for (const exam of exams) {
      const fits =
        exam.dataset.id.toLowerCase().includes(wanted) &&
        (!field.predicted.value || exam.dataset.predicted === field.predicted.value) &&
        (!field.reference?.value || exam.dataset.reference === field.reference.value) &&
        (!field.wrong?.checked || "wrong" in exam.dataset) &&
        (!field.open_set?.checked || "openSet" in exam.dataset);
      exam.hidden = !fits;
      shown += fits;
    }
    field.shown.value = `${shown} of ${exams.length} shown`;
  };
  const open = (value) => exams.forEach((exam) => { if (!exam.hidden) exam.open = value; });

  field.order.addEventListener("change", () => list.append(...exams.sort(orders[field.order.value])));
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  field.open.addEventListener("click", () => open(true));
  field.close.addEventListener("click", () => open(false));

  const template = document.getElementById("controls");
  const labels = template && [...template.content.querySelectorAll("[name=label] option")].slice(1).map((option) => option.value);
  const shown = { label: "", method: template?.content.querySelector("[name=method]").value, fade: "100" };
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).split(" ").map(Number);
  const arms = [colour("--against"), colour("--for")];
  const opaque = 0.78;
  const decoded = new WeakMap();

  const mapsOf = (canvas) => {
    if (!decoded.has(canvas)) decoded.set(canvas, JSON.parse(canvas.dataset.maps).methods);
    return decoded.get(canvas)[shown.method];
  };

  const paint = (canvas, place, scale) => {
    const maps = mapsOf(canvas);
    const bytes = maps && Uint8Array.from(atob(maps.cells), (character) => character.charCodeAt(0));
    canvas.hidden = !maps;
    if (!maps) return;
    const size = maps.rows * maps.columns;
    const cells = new Int8Array(bytes.buffer, place * size, size);
    canvas.width = maps.columns;
    canvas.height = maps.rows;
    const context = canvas.getContext("2d");
    const image = context.createImageData(maps.columns, maps.rows);
    cells.forEach((cell, i) => {
      const value = ((cell / 127) * maps.peaks[place]) / scale;
      image.data.set([...arms[value > 0 ? 1 : 0], Math.min(1, Math.abs(value)) * opaque * 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
  };

  const rounded = (value) => (value >= 0.01 && value < 1000 ? value.toPrecision(3) : value.toExponential(1));

  const draw = (exam) => {
    const canvases = [...exam.querySelectorAll("canvas")];
    if (!canvases.length) return;
    const box = exam.querySelector(".controls") ?? exam.querySelector(".hang").insertAdjacentElement(
      "beforebegin", template.content.firstElementChild.cloneNode(true));
    for (const [name, value] of Object.entries(shown)) box.querySelector(`[name=${name}]`).value = value;
    const label = shown.label || canvases[0].dataset.predicted;
    const place = labels.indexOf(label);
    const there = canvases.map(mapsOf).filter(Boolean);
    const scale = Math.max(...there.map((maps) => maps.peaks[place]), 0) || 1;
    canvases.forEach((canvas) => paint(canvas, place, scale));
    const expected = place === labels.length - 1;
    box.querySelector(".low").textContent = expected ? "for fattier" : `against ${label}`;
    box.querySelector(".high").textContent = expected ? "for denser" : `for ${label}`;
    const unit = there.length ? there[0].units[place] : "";
    box.querySelector(".scale").textContent = `full colour: ${rounded(scale)} ${unit}; one scale for all four`;
    exam.style.setProperty("--fade", shown.fade / 100);
  };

  list.addEventListener("toggle", (event) => { if (event.target.open) draw(event.target); }, true);
  list.addEventListener("input", (event) => {
    if (!(event.target.name in shown)) return;
    shown[event.target.name] = event.target.value;
    exams.filter((exam) => exam.open).forEach(draw);
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    exams.forEach(draw);
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));

  form.hidden = false;
  filter();
  exams.filter((exam) => exam.open).forEach(draw);
})();
