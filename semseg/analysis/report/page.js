"use strict";
(() => {
  const $ = (selector, parent = document) => parent.querySelector(selector);
  const $$ = (selector, parent = document) => [...parent.querySelectorAll(selector)];
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const facts = read("facts");
  const root = document.documentElement;

  // ---- colours: figures name CSS variables, which mean something else in the dark
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  const resolved = (text) => {
    if (text === "var(--font)") return getComputedStyle(root).getPropertyValue("--font");
    probe.style.color = text;
    return getComputedStyle(probe).color;
  };
  const themed = (part, known) => {
    if (typeof part === "string") {
      if (!part.startsWith("var(--")) return part;
      return (known[part] ??= resolved(part));
    }
    if (Array.isArray(part)) return part.map((one) => themed(one, known));
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, themed(one, known)]));
  };

  // ---- charts
  const draw = (name) => {
    if (!window.Plotly) return;
    const place = document.getElementById(`chart-${name}`);
    const { data, layout } = themed(facts.figures[name], {});
    if (place.clientWidth < 480) {
      layout.font.size = 10;
      if (name === "confusion") layout.height = Math.max(300, Math.round(place.clientWidth * 1.05));
      if (name === "classes") layout.xaxis.range[1] *= 1.3; // room for the numbers behind the bars
      if (data.some((trace) => trace.colorbar)) data[0].showscale = false;
      place.style.height = `${layout.height}px`;
    }
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true, showTips: false });
  };
  const names = Object.keys(facts.figures);
  const drawAll = () => names.forEach(draw);
  const waiting = [...names];
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 1));
  const distance = (name) => {
    const { top, bottom } = document.getElementById(`chart-${name}`).getBoundingClientRect();
    return Math.max(0, top - innerHeight, -bottom);
  };
  const drawNext = () => { // the chart that is nearest to what the reader sees
    const next = waiting.reduce((one, other) => (distance(other) < distance(one) ? other : one));
    waiting.splice(waiting.indexOf(next), 1);
    draw(next);
    if (waiting.length) whenIdle(drawNext, { timeout: 200 });
    else root.dataset.drawn = "";
  };

  const classOrder = $("#class-order");
  if (classOrder) {
    const axis = facts.figures.classes.layout.yaxis;
    const labels = axis.categoryarray;
    const body = $("#card-classes tbody");
    const rows = [...body.rows];
    const orderClasses = () => {
      const order = facts.classOrders[classOrder.value];
      axis.categoryarray = order.map((place) => labels[place]);
      body.append(...order.map((place) => rows[place]));
    };
    classOrder.addEventListener("change", () => { orderClasses(); draw("classes"); });
    orderClasses();
  }

  for (const button of $$("[data-confusion]")) {
    button.addEventListener("click", () => {
      const unit = button.dataset.confusion;
      for (const one of $$("[data-confusion]")) one.setAttribute("aria-pressed", one === button);
      for (const one of $$("[data-words]")) one.hidden = one.dataset.words !== unit;
      Object.assign(facts.figures.confusion.data[0], facts.confusionVariants[unit]);
      draw("confusion");
    });
  }

  // ---- theme
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const showTheme = () => { $("#theme").setAttribute("aria-pressed", isDark()); if (!waiting.length) drawAll(); };
  const remember = (theme) => { try { localStorage.setItem("report-theme", theme); } catch { /* not from disk, then */ } };
  try { root.dataset.theme = localStorage.getItem("report-theme") ?? ""; } catch { /* as the system has it */ }
  if (!root.dataset.theme) delete root.dataset.theme;
  $("#theme").addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remember(root.dataset.theme); showTheme(); });
  dark.addEventListener("change", showTheme);
  let screenTheme;
  addEventListener("beforeprint", () => { screenTheme = root.dataset.theme; root.dataset.theme = "light"; drawAll(); });
  addEventListener("afterprint", () => { if (screenTheme) root.dataset.theme = screenTheme; else delete root.dataset.theme; drawAll(); });

  // ---- images
  const VIEWS = facts.views;
  const PAGE = 12;
  const gallery = $("#gallery");
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const percent = (value) => (value === null ? "–" : `${value.toFixed(2)} %`);
  // photograph below everything; truth and prediction cover it, errors are a veil over it
  const opacity = (view, place) => {
    const rising = place - VIEWS.indexOf(view) + 1;
    if (view === "photograph") return 1;
    const falling = view === "truth" ? (place < 2 ? 1 : 0) : VIEWS.indexOf(view) + 1 - place;
    return Math.max(0, Math.min(1, rising, falling));
  };

  const shot = (number) => {
    const image = facts.images[number];
    const uris = read(`pictures-${number}`);
    const views = VIEWS.filter((view) => uris[view]);
    const card = element("article", { class: "card shot", "data-image": image.name });
    const body = element("div", { class: "body" });
    if (views.length) {
      const layers = views.map((view) => element("img", { src: uris[view], alt: "", "data-layer": view }));
      const stack = element("div", { class: "stack", role: "img" }, ...layers);
      const slider = element("input", { type: "range", min: 0, max: views.length - 1, step: 0.05, "aria-label": `View of ${image.name}` });
      const stops = views.map((view) => element("button", { type: "button", tabindex: -1 }, view));
      const show = (value) => {
        slider.value = value;
        const at = Number(slider.value), low = Math.floor(at), high = Math.ceil(at);
        const place = VIEWS.indexOf(views[low]) + (at - low) * (VIEWS.indexOf(views[high]) - VIEWS.indexOf(views[low]));
        for (const layer of layers) layer.style.opacity = opacity(layer.dataset.layer, place);
        stops.forEach((stop, index) => stop.setAttribute("aria-pressed", index === at));
        const text = low === high ? views[low] : `between ${views[low]} and ${views[high]}`;
        slider.setAttribute("aria-valuetext", text);
        stack.setAttribute("aria-label", `${image.name}, ${text}`);
      };
      slider.addEventListener("input", () => show(slider.value));
      slider.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        show(step > 0 ? Math.floor(Number(slider.value)) + 1 : Math.ceil(Number(slider.value)) - 1);
      });
      stops.forEach((stop, index) => stop.addEventListener("click", () => show(index)));
      card.showView = (view) => { if (views.includes(view)) show(views.indexOf(view)); };
      show(Math.max(0, views.indexOf(shownView)));
      card.append(stack);
      body.append(slider, element("div", { class: "stops" }, ...stops));
    }
    const marks = element("p", { class: "marks" }, ...image.marks.map((mark, index) => element(index ? "span" : "b", {}, `${index ? "  " : ""}${mark.join(" ")}`)));
    const chosen = $("#image-class")?.value ?? "";
    if (chosen !== "") marks.prepend(element("b", {}, `${facts.classes[chosen]} ${percent(image.iou[chosen])}`), "  ");
    const [file, ...folders] = image.name.split("/").reverse();
    body.append(element("h3", { title: image.name }, file.replace(/\.\w+$/, "")), marks);
    if (image.worst) {
      const { truth, predicted, share } = image.worst;
      body.append(element("p", { class: "quiet" }, `${share.toFixed(1)} % of ${truth} called ${predicted}`));
    }
    const parts = new Set([folders.reverse().join("/"), ...Object.values(image.slices)].filter(Boolean));
    if (parts.size) body.append(element("p", { class: "quiet" }, [...parts].join(", ")));
    for (const [title, links] of Object.entries(image.links)) {
      const anchors = Object.entries(links).flatMap(([text, url], index) => [index ? ", " : `${title}: `, element("a", { href: url }, text)]);
      if (!anchors.length) continue;
      body.append(element("p", { class: "quiet" }, ...anchors));
    }
    card.append(body);
    return card;
  };

  let shownView = facts.view, chosen = [], numShown = 0;
  const showMore = (num) => {
    const next = chosen.slice(numShown, numShown + num);
    gallery.append(...next.map(shot));
    numShown += next.length;
    $("#more").hidden = numShown >= chosen.length;
    $("#image-count").textContent = `${numShown} of ${chosen.length} image${chosen.length === 1 ? "" : "s"} shown`;
  };
  const filterImages = () => {
    const classId = $("#image-class")?.value ?? "", part = $("#image-slice")?.value;
    const [slice, name] = part ? JSON.parse(part) : [];
    chosen = facts.images.map((_, number) => number);
    if (part) chosen = chosen.filter((number) => facts.images[number].slices[slice] === name);
    if (classId !== "") {
      const iou = (number) => facts.images[number].iou[classId];
      chosen = chosen.filter((number) => iou(number) !== null).sort((a, b) => iou(a) - iou(b));
    }
    gallery.replaceChildren();
    numShown = 0;
    showMore(PAGE);
  };
  const markView = () => $$("[data-view]").forEach((one) => one.setAttribute("aria-pressed", one.dataset.view === shownView));
  if (gallery) {
    $("#image-class")?.addEventListener("change", filterImages);
    $("#image-slice")?.addEventListener("change", filterImages);
    $("#more").addEventListener("click", () => showMore(2 * PAGE));
    for (const button of $$("[data-view]")) {
      button.addEventListener("click", () => {
        shownView = button.dataset.view;
        markView();
        for (const card of gallery.children) card.showView?.(shownView);
      });
    }
    markView();
    filterImages();
  }

  // ---- flip book
  const flip = $("#flip");
  if (flip) {
    const { iterations, frames } = read("flip-book");
    const panels = $$("[data-panel]");
    const turn = () => {
      const place = Number(flip.value);
      panels.forEach((panel, index) => { panel.src = frames[index][place][1]; });
      $("#flip-iteration").textContent = `iteration ${iterations[place]}`;
      flip.setAttribute("aria-valuetext", `iteration ${iterations[place]}`);
    };
    let timer = null;
    const play = $("#flip-play");
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; play.setAttribute("aria-pressed", false); };
    flip.addEventListener("input", () => { stop(); turn(); });
    play.addEventListener("click", () => {
      if (timer) return stop();
      play.textContent = "Stop";
      play.setAttribute("aria-pressed", true);
      timer = setInterval(() => { flip.value = (Number(flip.value) + 1) % iterations.length; turn(); }, 600);
    });
    turn();
  }

  // ---- where the reader is
  const anchors = new Map($$(".bar nav a").map((anchor) => [anchor.hash.slice(1), anchor]));
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      for (const anchor of anchors.values()) anchor.removeAttribute("aria-current");
      anchors.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  $$("main > section").forEach((section) => watch.observe(section));

  // the page is there and answers before Plotly starts
  addEventListener("load", () => whenIdle(() => {
    const source = URL.createObjectURL(new Blob([$("#plotly").textContent], { type: "text/javascript" }));
    const script = element("script", { src: source });
    script.addEventListener("load", () => { URL.revokeObjectURL(source); whenIdle(drawNext, { timeout: 200 }); });
    document.head.append(script);
  }, { timeout: 500 }));
})();
