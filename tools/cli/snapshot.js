// SPDX-License-Identifier: MIT
// Draws slabs as cells, a row of cells a size class. Texts of the process are only ever set as text.
"use strict";

const CELL_PIXELS = 12;
const STEPS = 8;

const data = JSON.parse(document.getElementById("data").textContent);
const map = document.getElementById("map");
const detail = document.getElementById("detail");
const colour = document.getElementById("colour");
const site = document.getElementById("site");

/** What a cell's colour may say: a share from 0 to 1. */
const SHARES = {
    "live blocks of all that fit": (cell) => cell.live / cell.blocks,
    "pages in use that one block alone holds": (cell) => (cell.held ? cell.alone / cell.held : 0),
    "pages in use of all": (cell) => cell.held / cell.pages,
};
if (data.seconds) SHARES["live blocks that are old"] = (cell) => (cell.live ? cell.old / cell.live : 0);

function cellOf([start, slabs, live, blocks, held, alone, pages, old, ...sites]) {
    return { start, slabs, live, blocks, held, alone, pages, old, sites };
}

function shownBytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
    return (unit === 0 || value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1)) + " " + units[unit];
}

function counted(count, thing) {
    return count.toLocaleString("en") + " " + thing + (count === 1 ? "" : "s");
}

function style(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shade(share) {
    const from = parseFloat(style("--light"));
    const to = parseFloat(style("--dark"));
    const step = share === 0 ? 0 : Math.max(1, Math.round(share * STEPS));
    return "hsl(" + (215 - 5 * step) + " 62% " + (from + ((to - from) * step) / STEPS) + "%)";
}

function element(tag, text, parent) {
    const made = document.createElement(tag);
    made.textContent = text;
    parent.appendChild(made);
    return made;
}

function siteNumber() {
    return site.value === "" ? -1 : Number(site.value);
}

function holdsSite(cell, number) {
    return cell.sites.some((value, place) => place % 2 === 0 && value === number);
}

function describe(size, cell) {
    const lines = [
        counted(cell.slabs, "slab") + " of blocks of " + shownBytes(size) + (cell.slabs > 1 ? ", the first" : "") + " at 0x" + cell.start,
        counted(cell.live, "live block") + " of " + cell.blocks.toLocaleString("en") + "; " + counted(cell.held, "page") + " of " +
            cell.pages.toLocaleString("en") + " in use, " + cell.alone.toLocaleString("en") + " of them held by one block alone" +
            (data.seconds ? "; " + counted(cell.old, "block") + " old" : ""),
    ];
    for (let place = 0; place < cell.sites.length; place += 2) {
        lines.push(counted(cell.sites[place + 1], "block") + ": " + data.sites[cell.sites[place]][0]);
    }
    detail.textContent = lines.join("\n");
}

function draw(canvas, cells) {
    const columns = Math.max(1, Math.floor(map.clientWidth / CELL_PIXELS));
    const rows = Math.ceil(cells.length / columns);
    const ratio = window.devicePixelRatio || 1;
    const width = Math.min(columns, cells.length) * CELL_PIXELS;
    canvas.width = width * ratio;
    canvas.height = rows * CELL_PIXELS * ratio;
    canvas.style.width = width + "px";
    canvas.style.height = rows * CELL_PIXELS + "px";
    canvas.columns = columns;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const share = SHARES[colour.value];
    const chosen = siteNumber();
    cells.forEach((cell, place) => {
        const x = (place % columns) * CELL_PIXELS;
        const y = Math.floor(place / columns) * CELL_PIXELS;
        context.fillStyle = chosen >= 0 && holdsSite(cell, chosen) ? style("--chosen") : shade(share(cell));
        context.fillRect(x, y, CELL_PIXELS - 1, CELL_PIXELS - 1);
    });
}

function summary(size, cells) {
    const sum = (name) => cells.reduce((total, cell) => total + cell[name], 0);
    const live = sum("live");
    const empty = sum("pages") * 4096 - live * size;
    const alone = sum("alone");
    return counted(live, "block") + ", " + shownBytes(live * size) + " in " + counted(sum("slabs"), "slab") + "; " +
        shownBytes(Math.max(0, empty)) + " free in " + (sum("slabs") === 1 ? "it" : "them") +
        (alone > 0 ? "; " + counted(alone, "page") + " held by one block alone" : "");
}

const drawn = data.classes.map(([size, rows]) => {
    const cells = rows.map(cellOf);
    const heading = element("h2", shownBytes(size) + " ", map);
    element("span", summary(size, cells), heading);
    const canvas = map.appendChild(document.createElement("canvas"));
    canvas.addEventListener("click", (event) => {
        const column = Math.floor(event.offsetX / CELL_PIXELS);
        const place = Math.floor(event.offsetY / CELL_PIXELS) * canvas.columns + column;
        if (place < cells.length) describe(size, cells[place]);
    });
    return [canvas, cells];
});

function drawAll() {
    drawn.forEach(([canvas, cells]) => draw(canvas, cells));
    const scale = document.getElementById("scale");
    scale.replaceChildren();
    for (let step = 0; step <= STEPS; step++) element("i", "", scale).style.background = shade(step / STEPS);
}

function listSites() {
    if (data.sites.length === 0) {
        document.getElementById("site-label").remove();
        return;
    }
    const place = document.getElementById("sites");
    element("h2", "Sites", place);
    const table = place.appendChild(document.createElement("table"));
    const head = table.appendChild(document.createElement("tr"));
    ["made by", "blocks", "bytes", "slabs", "pages alone"].forEach((title) => element("th", title, head));
    for (const [name, blocks, bytes, slabs, alone] of data.sites) {
        const row = table.appendChild(document.createElement("tr"));
        element("td", name, row);
        [blocks.toLocaleString("en"), shownBytes(bytes), slabs.toLocaleString("en"), alone.toLocaleString("en")].forEach((text) =>
            element("td", text, row)
        );
    }
}

Object.keys(SHARES).forEach((name) => element("option", name, colour));
element("option", "none", site).value = "";
data.sites.forEach(([name], number) => (element("option", name, site).value = String(number)));
listSites();
colour.addEventListener("change", drawAll);
site.addEventListener("change", drawAll);
window.addEventListener("resize", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
