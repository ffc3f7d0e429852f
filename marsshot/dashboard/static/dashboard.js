// Draws the charts and keeps the page up to date. Everything else works without it.
"use strict";

// BokehJS makes style elements; the page's policy lets in those that carry its nonce, and no others.
const nonce = document.currentScript.nonce;
const createElement = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = createElement(name, options);
  if (String(name).toLowerCase() === "style") element.nonce = nonce;
  return element;
};

const drawn = new Map(); // by the place's id: the description that is drawn there

const theme = () => {
  const chosen = document.documentElement.dataset.theme;
  if (chosen !== "auto") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
};

async function draw(place) {
  const address = new URL(place.dataset.chart, location.href);
  address.searchParams.set("theme", theme());
  const answer = await fetch(address);
  if (!answer.ok) return;
  const description = await answer.text();
  if (drawn.get(place.id) === description && place.firstChild) return;
  drawn.set(place.id, description);
  const fresh = createElement("div");
  fresh.style.height = "100%";
  place.replaceChildren(fresh);
  await window.Bokeh.embed.embed_item(JSON.parse(description), fresh);
  place.dataset.drawn = "yes";
}

// One drawing after the other: Bokeh complains when the place it draws in is taken away from it.
let drawing = Promise.resolve();

function drawAll() {
  const places = () => Promise.all([...document.querySelectorAll("[data-chart]")].map(draw));
  drawing = drawing.catch(() => {}).then(places);
  return drawing;
}

// Bokeh's script writes numbers on an axis in English alone.
function writeAxesInPageLanguage() {
  const numbers = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 12 });
  const Formatter = window.Bokeh?.Models.get("BasicTickFormatter");
  if (Formatter) Formatter.prototype.doFormat = (ticks) => ticks.map((tick) => numbers.format(tick));
}

const places = (page) => [...page.querySelectorAll("[data-live], [data-chart]")].map((place) => place.id).join();

// Takes over what is new; charts, forms and reports stay untouched. False: the page has become another one.
function renew(old, fresh) {
  if (!fresh || places(old) !== places(fresh)) return false;
  for (const place of fresh.querySelectorAll("[data-live]")) {
    const known = document.getElementById(place.id);
    if (known.innerHTML !== place.innerHTML) known.replaceChildren(...place.childNodes);
  }
  old.dataset.version = fresh.dataset.version;
  return true;
}

async function look(page, connection, told) {
  const pulse = await fetch(page.dataset.pulse);
  if (pulse.status === 401) return location.reload();
  const { version } = await pulse.json();
  connection.textContent = told;
  connection.classList.remove("lost");
  if (version === page.dataset.version) return;
  const answer = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("page");
  if (!renew(page, fresh)) return location.reload();
  await drawAll();
}

function keepUp() {
  const page = document.getElementById("page");
  const connection = document.getElementById("connection");
  if (!page || !connection) return;
  const told = connection.textContent;
  const again = async () => {
    if (!document.hidden) {
      try {
        await look(page, connection, told);
      } catch {
        connection.textContent = connection.dataset.lost;
        connection.classList.add("lost");
      }
    }
    setTimeout(again, Number(page.dataset.seconds) * 1000);
  };
  setTimeout(again, Number(page.dataset.seconds) * 1000);
}

document.addEventListener("DOMContentLoaded", () => {
  writeAxesInPageLanguage();
  drawAll();
  keepUp();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
});
