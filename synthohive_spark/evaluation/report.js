document.documentElement.classList.add("scripted");
const all = (selector) => [...document.querySelectorAll(selector)];
const order = document.getElementById("order");
const find = document.getElementById("find");
const unfold = document.getElementById("unfold");
const tip = document.getElementById("tip");
const compare = {
  score: (a, b) => a.dataset.score - b.dataset.score || a.dataset.place - b.dataset.place,
  place: (a, b) => a.dataset.place - b.dataset.place,
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
};
const fold = (open) => {
  for (const table of all("details.table")) table.open = open;
  unfold.textContent = open ? "Fold all" : "Unfold all";
};
order.addEventListener("change", () => {
  for (const grid of all(".columns")) grid.append(...[...grid.children].sort(compare[order.value]));
});
find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  if (wanted) fold(true);
  for (const figure of all(".columns figure")) figure.hidden = !figure.dataset.name.toLowerCase().includes(wanted);
});
unfold.addEventListener("click", () => fold(unfold.textContent === "Unfold all"));
const openTarget = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("beforeprint", () => { for (const details of all("details")) details.open = true; });
const share = (x) => (x > 0 && x < 0.001 ? "<0.1 %" : `${+(x * 100).toFixed(1)} %`);
const at = (event, svg) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
const said = (event) => {
  const chart = event.target.closest && event.target.closest("svg[data-numbers]");
  if (chart) {
    const numbers = chart.dataset.numbers.split("\n").map((line) => line.split("\t")), box = chart.viewBox.baseVal, p = at(event, chart);
    const place = chart.dataset.rows ? p.y / box.height : p.x / box.width;
    const one = numbers[Math.min(numbers.length - 1, Math.max(0, Math.floor(place * numbers.length)))];
    return one && `${one[0]}: real ${share(one[1])}, synthetic ${share(one[2])}`;
  }
  const heat = event.target.closest && event.target.closest("svg.heat");
  if (!heat) return "";
  const { names: header, cells } = heat.closest(".maps").dataset, names = header.split("\t"), p = at(event, heat), size = heat.viewBox.baseVal.height / names.length;
  const i = Math.floor(p.y / size), j = Math.floor(p.x / size);
  const one = cells.split("\n").map((line) => line.split("\t")).find((c) => +c[0] === i && +c[1] === j);
  return one && `${names[i]} and ${names[j]}: real ${one[2]}, synthetic ${one[3]}`;
};
document.addEventListener("pointermove", (event) => {
  const text = said(event);
  tip.hidden = !text;
  if (text) {
    tip.textContent = text;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - 350)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  }
});
