document.documentElement.classList.add("scripted");
const order = document.getElementById("order");
const find = document.getElementById("find");
const compare = {
  score: (a, b) => a.dataset.score - b.dataset.score || a.dataset.place - b.dataset.place,
  place: (a, b) => a.dataset.place - b.dataset.place,
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
};
order.addEventListener("change", () => {
  for (const grid of document.querySelectorAll(".columns")) {
    grid.append(...[...grid.children].sort(compare[order.value]));
  }
});
find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  for (const figure of document.querySelectorAll(".columns figure")) {
    figure.hidden = !figure.dataset.name.toLowerCase().includes(wanted);
  }
});
