"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const [form, find, pii, destination, required] = ["filters", "find", "pii", "destination", "required"].map(byId);
  const events = [...document.querySelectorAll(".event")].map((event) => ({
    event,
    link: document.querySelector(`nav a[href="#${event.id}"]`).parentElement,
    rows: [...event.querySelectorAll("tbody tr")],
  }));
  const openBefore = new Map();

  const holds = (text, words) => words.every((word) => text.includes(word));

  // A property inside an object or a list is only understood with what is around it.
  const around = (path, other) => path.startsWith(`${other}.`) || path.startsWith(`${other}[`);

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const asks = words.length > 0 || pii.value !== "" || required.checked;
    let shownEvents = 0, shownRows = 0;
    for (const { event, link, rows } of events) {
      const named = holds(event.dataset.text, words);
      const goes = !destination.value || event.dataset.to.split(" ").includes(destination.value);
      const found = rows.filter((row) =>
        (named || holds(`${event.dataset.text} ${row.dataset.text}`, words))
        && (!required.checked || row.dataset.required === "yes")
        && (!pii.value || (pii.value === "personal" ? row.dataset.pii !== "" && row.dataset.pii !== "none"
                                                    : row.dataset.pii === pii.value)));
      const wants = pii.value !== "" || required.checked;
      const shows = goes && (wants ? found.length > 0 : named || found.length > 0);
      for (const row of rows) {
        const hit = found.includes(row);
        row.hidden = !(hit || found.some((other) => around(other.dataset.path, row.dataset.path)));
        shownRows += shows && hit ? 1 : 0;
      }
      event.hidden = link.hidden = !shows;
      shownEvents += shows ? 1 : 0;
      if (asks && shows) {
        if (!openBefore.has(event)) openBefore.set(event, event.open);
        event.open = !named || wants || openBefore.get(event);
      } else if (!asks && openBefore.has(event)) {
        event.open = openBefore.get(event);
        openBefore.delete(event);
      }
    }
    const many = (number, noun) => `${number} ${noun}${number === 1 ? "" : number && noun.endsWith("y") ? "" : "s"}`;
    byId("count").value = `${many(shownEvents, "event")}, ${shownRows} ${shownRows === 1 ? "property" : "properties"}`;
    byId("nothing").hidden = shownEvents > 0;
  }

  function openAll(isOpen) {
    for (const { event } of events) if (!event.hidden) event.open = isOpen;
  }

  function openTarget() {
    const target = location.hash ? byId(decodeURIComponent(location.hash.slice(1))) : null;
    if (target instanceof HTMLDetailsElement) {
      if (target.hidden) { form.reset(); filter(); }
      target.open = true;
      target.scrollIntoView();
    }
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (submit) => submit.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  byId("open").addEventListener("click", () => openAll(true));
  byId("close").addEventListener("click", () => openAll(false));
  addEventListener("hashchange", openTarget);
  document.querySelector("nav").addEventListener("click", (click) => {
    // The address may hold this event already; then nothing would change, and nothing would open.
    if (click.target.closest("a")) setTimeout(openTarget);
  });
  addEventListener("beforeprint", () => openAll(true));
  addEventListener("keydown", (key) => {
    const typing = key.target instanceof HTMLInputElement || key.target instanceof HTMLSelectElement;
    if (key.key === "/" && !typing && !key.ctrlKey && !key.metaKey && !key.altKey) { key.preventDefault(); find.focus(); }
    if (key.key === "Escape" && key.target === find) { find.value = ""; filter(); }
  });
  filter();
  openTarget();
})();
