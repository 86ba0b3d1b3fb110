const at = (id) => document.getElementById(id);
const percent = (share) => (share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`);
const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
let limits = null, request = null, result = null;

function complain(sentence) {
  at("status").textContent = "";
  at("error").textContent = sentence[0].toUpperCase() + sentence.slice(1) + ".";
}

async function segment(file) {
  request?.abort();
  const mine = (request = new AbortController());
  at("error").textContent = "";
  if (!file) return complain("that is not a file; save the picture first, then choose it here");
  if (limits && file.size > limits.bytes) return complain(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; the limit here is ${limits.bytes / 1e6} MB`);
  at("status").textContent = `Segmenting ${file.name} …`;
  const began = performance.now();
  let answer;
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch("api/segment?preview=1", { method: "POST", body: file, headers, signal: mine.signal });
    answer = await response.json();
  } catch {
    if (!mine.signal.aborted) complain("the server does not answer; is tools/serve.py still running?");
    return;
  }
  if (mine.signal.aborted) return;
  if (answer.error) return complain(answer.error);
  await show(file.name, answer);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  at("status").textContent = `${file.name}: ${answer.width} × ${answer.height} pixels in ${seconds} s` + (answer.mean_confidence === null ? "" : `, mean confidence ${percent(answer.mean_confidence)}`);
}

async function show(name, answer) {
  for (const layer of ["photograph", "mask", "outlines"]) {
    const bytes = Uint8Array.from(atob(answer[layer]), (letter) => letter.charCodeAt(0));
    URL.revokeObjectURL(at(layer).src);
    at(layer).src = URL.createObjectURL(new Blob([bytes], { type: layer === "photograph" ? "image/jpeg" : "image/png" }));
  }
  await Promise.all([at("photograph").decode(), at("mask").decode()]);
  result = { stem: name.replace(/\.[^.]*$/, ""), ...answer };
  const rows = answer.classes.map((label, i) => ({ label, share: answer.shares[label], colour: `rgb(${answer.palette[i]})` }));
  const present = rows.filter((row) => row.share > 0).sort((a, b) => b.share - a.share);
  at("legend").replaceChildren(...present.map(legendRow));
  const absent = rows.filter((row) => row.share === 0).map((row) => row.label);
  at("absent").textContent = absent.length ? `Not found: ${absent.join(", ")}` : "";
  at("stack").style.maxWidth = `calc(75vh * ${answer.width / answer.height})`;
  at("pointer").hidden = true;
  at("here").textContent = "Point at the picture to see the class of a pixel.";
  at("result").hidden = false;
}

function legendRow({ label, share, colour }) {
  const row = document.createElement("li");
  row.dataset.label = label;
  row.append(document.createElement("i"), document.createElement("span"), document.createElement("span"), document.createElement("div"));
  row.children[0].style.background = colour;
  row.children[1].textContent = label;
  row.children[2].textContent = percent(share);
  row.children[3].className = "track";
  row.children[3].append(document.createElement("u"));
  row.children[3].firstChild.style.width = `${100 * share}%`;
  return row;
}

function tell(x, y) {  // shares of the width and the height
  [x, y] = [x, y].map((share) => Math.min(0.9999, Math.max(0, share)));
  probe.drawImage(at("mask"), Math.floor(x * result.width), Math.floor(y * result.height), 1, 1, 0, 0, 1, 1);
  const colour = probe.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
  const labels = result.classes.filter((_, i) => result.palette[i].join() === colour && result.shares[result.classes[i]]);
  at("here").replaceChildren(document.createElement("b"));
  at("here").firstChild.textContent = labels.join(" or ");
  for (const row of at("legend").children) row.classList.toggle("here", labels.includes(row.dataset.label));
  Object.assign(at("pointer").style, { left: `${100 * x}%`, top: `${100 * y}%` });
  at("pointer").dataset.place = JSON.stringify([x, y]);
}

function pointed(event) {
  const box = at("photograph").getBoundingClientRect();
  tell((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  at("pointer").hidden = event.type === "pointermove";
}

function save(blob, name) {
  if (!blob) return complain("this browser cannot draw a picture of this size; the mask can be downloaded all the same");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(URL.revokeObjectURL, 60000, link.href);
}

at("stack").addEventListener("pointermove", pointed);
at("stack").addEventListener("click", pointed);
at("stack").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] }[event.key];
  if (!step) return;
  event.preventDefault();
  const [x, y] = JSON.parse(at("pointer").dataset.place ?? "[0.5, 0.5]");
  tell(x + step[0], y + step[1]);
  at("pointer").hidden = false;
});
function blend() {
  at("mask").style.opacity = at("opacity").value / 100;
  at("opacity").setAttribute("aria-valuetext", `${at("opacity").value} % segmentation`);
}
at("opacity").addEventListener("input", blend);
blend();
at("lines").addEventListener("change", () => { at("outlines").hidden = !at("lines").checked; });
at("save-mask").addEventListener("click", async () => {
  const bytes = Uint8Array.from(atob(result.mask), (letter) => letter.charCodeAt(0));
  save(new Blob([bytes], { type: "image/png" }), `${result.stem}_mask.png`);
});
at("save-overlay").addEventListener("click", () => {
  const [canvas, photograph] = [document.createElement("canvas"), at("photograph")];
  [canvas.width, canvas.height] = [photograph.naturalWidth, photograph.naturalHeight];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(photograph, 0, 0);
  context.globalAlpha = at("opacity").value / 100;
  context.drawImage(at("mask"), 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 1;
  if (at("lines").checked) context.drawImage(at("outlines"), 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, `${result.stem}_overlay.jpg`), "image/jpeg", 0.9);
});
at("file").addEventListener("change", () => {
  if (at("file").files.length) segment(at("file").files[0]);
  at("file").value = "";  // the same one may be chosen again
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    if (kind === "drop") segment(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) segment(event.clipboardData.files[0]);
});
fetch("api/model").then((response) => response.json()).then((model) => {
  limits = model.limits;
  at("model").textContent = `${model.name}, ${model.classes.length} classes`;
  at("limits").textContent = `, up to ${limits.bytes / 1e6} MB`;
});
