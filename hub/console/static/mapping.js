// The picture of a mapping: a field's lines stand out while it is pointed at or has the focus; a click keeps them, Escape lets go.
// Arrows go from field to field, and along a line to the other side. Without this script each field is a link to its line in the list.
const NODES = "a.node";

for (const picture of document.querySelectorAll("svg.mapping")) {
  let kept = null;

  const show = (node) => {
    for (const lit of picture.querySelectorAll(".is-lit")) lit.classList.remove("is-lit");
    picture.classList.toggle("has-lit", Boolean(node));
    if (!node) return;
    node.classList.add("is-lit");
    for (const id of node.dataset.ends.split(" ").filter(Boolean)) document.getElementById(id).classList.add("is-lit");
    for (const line of picture.querySelectorAll(`[data-tail="${node.id}"], [data-head="${node.id}"]`)) line.classList.add("is-lit");
  };
  const field = (event) => event.target.closest(NODES);

  picture.addEventListener("mouseover", (event) => show(field(event) || kept));
  picture.addEventListener("mouseleave", () => show(kept));
  picture.addEventListener("focusin", (event) => show(field(event)));
  picture.addEventListener("focusout", () => show(kept));
  picture.addEventListener("click", (event) => {
    const node = field(event);
    if (node) event.preventDefault();
    kept = node === kept ? null : node;
    show(kept);
  });
  // From wherever the focus is: where the picture was hidden meanwhile, it is not within it any more.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    kept = null;
    show(null);
  });
  picture.addEventListener("keydown", (event) => {
    const node = field(event);
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = [...picture.querySelectorAll(NODES)].filter((one) => one.id[0] === node.id[0]);
    const across = (event.key === "ArrowRight" && node.id[0] === "s") || (event.key === "ArrowLeft" && node.id[0] === "t");
    const to = across
      ? document.getElementById(node.dataset.ends.split(" ")[0])
      : { ArrowDown: side[side.indexOf(node) + 1], ArrowUp: side[side.indexOf(node) - 1] }[event.key];
    if (to?.matches(NODES)) {
      event.preventDefault();
      to.focus();
    }
  });
}
