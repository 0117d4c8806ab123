// SPDX-License-Identifier: MIT
// Draws a tree of calls as rectangles: callers above those that they call, as wide as what they hold. A click on one makes it
// as wide as the page. Texts of the process are only ever set as text.
"use strict";

const ROW_PIXELS = 21;
const NARROWEST_PIXELS = 1;
const TEXT_PIXELS = 24;
const CALLEES_LISTED = 12;

const data = JSON.parse(document.getElementById("data").textContent);
const graph = document.getElementById("graph");
const detail = document.getElementById("detail");
const search = document.getElementById("search");
const sum = document.getElementById("sum");
const callees = document.getElementById("callees");

/** The nodes in a tree: each has its parent, children, and where it begins within the whole. */
function treeOf(rows) {
    const open = [];
    let root = null;
    for (const [depth, name, place, value] of rows) {
        const node = { depth, name: data.texts[name], place: data.texts[place], value, start: 0, parent: null, children: [] };
        open.length = depth;
        if (depth > 0) {
            node.parent = open[depth - 1];
            const before = node.parent.children[node.parent.children.length - 1];
            node.start = before ? before.start + before.value : node.parent.start;
            node.parent.children.push(node);
        } else {
            root = node;
        }
        open.push(node);
    }
    return root;
}

function shown(value) {
    if (data.kind.endsWith("objects")) return value.toLocaleString("en") + (value === 1 ? " block" : " blocks");
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0;
    for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
    return (unit === 0 || value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1)) + " " + units[unit];
}

function share(part, whole) {
    return whole > 0 ? ((100 * part) / whole).toFixed(1) + " %" : "";
}

/** One colour a file, so that what belongs together looks alike; functions of it differ a little in lightness. */
function hueOf(text) {
    let hash = 2166136261;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    return (hash >>> 0) % 360;
}

const root = treeOf(data.nodes);
let focus = root;

function describe(node) {
    detail.replaceChildren();
    if (node === null) return;
    const name = document.createElement("b");
    name.textContent = node.name;
    const rest = ` ${shown(node.value)}, ${share(node.value, root.value)} of the whole`;
    detail.append(name, node.place ? ` in ${node.place}:` : ":", rest);
}

function matches(node) {
    const wanted = search.value.trim().toLowerCase();
    return wanted !== "" && node.name.toLowerCase().includes(wanted);
}

function rectangle(node, left, width, pixels) {
    const one = document.createElement("button");
    one.type = "button";
    one.className = "frame";
    if (pixels < TEXT_PIXELS) one.classList.add("narrow");
    if (node.depth < focus.depth) one.classList.add("above");
    if (matches(node)) one.classList.add("found");
    one.style.left = 100 * left + "%";
    one.style.width = 100 * width + "%";
    one.style.top = ROW_PIXELS * node.depth + "px";
    one.style.setProperty("--hue", hueOf(node.place || node.name));
    one.style.setProperty("--tone", 2 * (hueOf(node.name) % 5) - 4 + "%");
    if (pixels >= TEXT_PIXELS) one.textContent = node.name;
    one.title = `${node.name}\n${shown(node.value)}, ${share(node.value, root.value)}`;
    one.setAttribute("aria-label", one.title);
    one.addEventListener("click", () => zoom(node));
    one.addEventListener("mouseenter", () => describe(node));
    one.addEventListener("focus", () => describe(node));
    return one;
}

function zoom(node) {
    focus = node;
    draw();
    describe(node);
}

function textIn(element, className, text) {
    const made = document.createElement(element);
    made.className = className;
    made.textContent = text;
    return made;
}

/** What the one in focus calls, below those that call one alone, in words: on a narrow screen few names fit into rectangles. */
function listCallees() {
    let caller = focus;
    while (caller.children.length === 1) caller = caller.children[0];
    const items = caller.children.slice(0, CALLEES_LISTED).map((node) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(
            textIn("span", "name", node.name),
            textIn("span", "figure", shown(node.value)),
            textIn("span", "figure", share(node.value, root.value)),
        );
        button.addEventListener("click", () => zoom(node));
        const item = document.createElement("li");
        item.append(button);
        return item;
    });
    callees.replaceChildren(...items);
}

/** Whether a node lies on the way from the root to the one in focus. */
function isAbove(node) {
    for (let one = focus; one !== null; one = one.parent) if (one === node) return true;
    return false;
}

/** What the functions found hold together: one below another counts once. */
function foundValue() {
    let total = 0;
    const todo = [root];
    while (todo.length > 0) {
        const node = todo.pop();
        if (matches(node)) total += node.value;
        else todo.push(...node.children);
    }
    return total;
}

function draw() {
    const width = graph.clientWidth;
    const drawn = [];
    let depth = 0;
    const todo = [root];
    while (todo.length > 0) {
        const node = todo.pop();
        const above = node !== focus && isAbove(node);
        const left = above ? 0 : (node.start - focus.start) / focus.value;
        const part = above ? 1 : node.value / focus.value;
        if (part * width < NARROWEST_PIXELS) continue;
        drawn.push(rectangle(node, left, part, part * width));
        depth = Math.max(depth, node.depth);
        if (above) todo.push(node.children.find((one) => isAbove(one)));
        else todo.push(...node.children.slice().reverse());
    }
    graph.style.height = ROW_PIXELS * (depth + 1) + "px";
    graph.replaceChildren(...drawn);
    listCallees();
    const found = foundValue();
    sum.textContent = search.value.trim() === "" ? "" : `${shown(found)}, ${share(found, root.value)}`;
}

document.getElementById("whole").addEventListener("click", () => {
    search.value = "";
    zoom(root);
});
search.addEventListener("input", draw);
window.addEventListener("resize", draw);
if (root === null) {
    detail.textContent = "nothing is live, or nothing was sampled";
} else {
    zoom(root);
}
