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
        (!field.wrong?.checked || "wrong" in exam.dataset);
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

  list.addEventListener("click", (event) => {
    const zoom = event.target.closest(".zoom");
    if (zoom) zoom.setAttribute("aria-pressed", String(zoom.getAttribute("aria-pressed") !== "true"));
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = exams.filter((exam) => !exam.open);
    closed.forEach((exam) => { exam.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((exam) => { exam.open = false; }));

  form.hidden = false;
  filter();
})();
