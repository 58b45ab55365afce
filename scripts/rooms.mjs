// The architecture, read from the imports of the sources, types included.
//
// `node scripts/rooms.mjs` prints the rooms (folders, and the public modules of a package), their floors, the arrows between them, and
// the circles. `--check` fails where files or rooms import each other, or where an arrow goes where none may. `--draw` writes the picture
// docs/images/rooms.svg.
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import process from "node:process"
import { root } from "./steps.mjs"

/** A folder, or a module at the top of a package. */
const roomOf = (file) => {
  const [, name, path] = /^packages\/(\w+)\/src\/(.*)\.ts$/.exec(file)
  const folder = dirname(path)
  return folder === "." ? `${name}/${path}` : folder === "testing" ? `${name}/${path}` : `${name}/${folder}`
}

const files = globSync("packages/{core,detector}/src/**/*.ts", { cwd: root }).sort()

/** Imports and re-exports of a file, as files. */
const importsOf = (file) => {
  const text = readFileSync(join(root, file), "utf8").replaceAll(/^\s*\*.*$/gm, "")
  return [...text.matchAll(/(?:from|import) "([^"]+)"/g)].flatMap(([, path]) => {
    if (path.startsWith(".")) return [normalize(join(dirname(file), path))]
    const [, module] = /^@fiberscope\/core\/(\w+)$/.exec(path) ?? []
    return module === undefined ? [] : [`packages/core/src/${module === "testing" ? "testing/index" : module}.ts`]
  })
}

const imports = new Map(files.map((file) => [file, importsOf(file)]))

/** Strongly connected parts of a graph with more than one member (Tarjan 1972). */
const circlesOf = (graph) => {
  const found = []
  const index = new Map()
  const low = new Map()
  const stack = []
  const visit = (node) => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) !== index.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    if (circle.length > 1) found.push(circle)
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return found
}

const arrows = new Map()
const graph = new Map(files.map((file) => [roomOf(file), new Set()]))
for (const [from, targets] of imports) {
  for (const to of targets) {
    const [a, b] = [roomOf(from), roomOf(to)]
    if (a === b) continue
    graph.get(a).add(b)
    arrows.set(`${a} -> ${b}`, (arrows.get(`${a} -> ${b}`) ?? 0) + 1)
  }
}

const circles = circlesOf(imports)
const roomCircles = circlesOf(graph)

/** The longest way down from a room, 0 for those that import no other; a circle of rooms is one floor. */
const floors = new Map()
const together = (room) => roomCircles.find((circle) => circle.includes(room)) ?? [room]
const floorOf = (room) => {
  if (floors.has(room)) return floors.get(room)
  const group = together(room)
  const below = group.flatMap((one) => [...graph.get(one)]).filter((one) => !group.includes(one))
  const floor = below.length === 0 ? 0 : 1 + Math.max(...below.map(floorOf))
  for (const one of group) floors.set(one, floor)
  return floor
}
const rooms = [...graph.keys()].sort((a, b) => floorOf(b) - floorOf(a) || a.localeCompare(b))

/** Arrows that must never be: from, to, and why. */
const never = [
  [/^detector\/statistics$/, /^detector\/(?!text$)/, "numbers know nothing of where they come from"],
  [/^detector\/heap$/, /^detector\/(?!agent$|places$|text$)/, "a heap graph does not depend on how it is used"],
  [/^detector\/places$/, /^detector\/(?!agent$|text$)/, "a place is a place, whoever observed it"],
  [
    /^detector\/observation$/,
    /^detector\/(?!agent$|places$|statistics$|text$)/,
    "what was seen knows nothing of what is said of it"
  ],
  [/^detector\/rules/, /^detector\/(?:diagnosis|report|cli|LeakDetector)$/, "a rule looks at the observation alone"],
  [/^detector\/diagnosis$/, /^detector\/(?:report|cli|LeakDetector)$/, "a verdict does not depend on how it is shown"],
  [/^detector\/report/, /^detector\/(?:rules|cli|LeakDetector)/, "a report shows what is given to it"],
  [/^detector\/agent$/, /^(?:detector\/|core\/(?!FiberCensus$|FiberSite$))/, "it lives in programs that are not ours"],
  [/^detector\/(?!cli$)/, /^detector\/cli$/, "the command line is the outermost room"],
  [/^core\/internal\/census$/, /^core\//, "it is loaded into programs that are not ours"],
  [/^core\/(?!testing\/)/, /^core\/testing\//, "services do not carry their tests"],
  [/^core\//, /^detector\//, "core is below the detector"]
]

const broken = () =>
  [...arrows.keys()].flatMap((arrow) => {
    const [from, to] = arrow.split(" -> ")
    return never.flatMap(([a, b, why]) => (a.test(from) && b.test(to) ? [`${arrow} must not be: ${why}`] : []))
  })

const print = () => {
  console.log("floor  room                              files  lines  imports from")
  for (const room of rooms) {
    const own = files.filter((file) => roomOf(file) === room)
    const lines = own.reduce((sum, file) => sum + readFileSync(join(root, file), "utf8").split("\n").length, 0)
    const to = [...graph.get(room)].sort((a, b) => floorOf(b) - floorOf(a)).join(", ")
    const cells = [
      String(floorOf(room)).padEnd(6),
      room.padEnd(33),
      String(own.length).padStart(5),
      String(lines).padStart(6)
    ]
    console.log(`${cells.join(" ")}  ${to}`)
  }
}

/** Boxes by floor, the highest first; arrows from the bottom of a box to the top of the one it imports from. */
const draw = () => {
  const [width, height, gap] = [150, 34, 12]
  const columns = 9
  const boxes = new Map()
  let row = 0
  for (let floor = Math.max(...floors.values()); floor >= 0; floor--) {
    const here = rooms.filter((room) => floorOf(room) === floor)
    for (let i = 0; i < here.length; i++) {
      const inRow = Math.min(columns, here.length - columns * Math.floor(i / columns))
      const left = ((columns - inRow) * (width + gap)) / 2
      boxes.set(here[i], {
        x: left + (i % columns) * (width + gap) + gap,
        y: (row + Math.floor(i / columns)) * 78 + 20
      })
    }
    row += Math.ceil(here.length / columns)
  }
  const [w, h] = [columns * (width + gap) + gap, row * 78 + 20]
  const lines = [...arrows].map(([arrow, count]) => {
    const [from, to] = arrow.split(" -> ").map((room) => boxes.get(room))
    const [x1, y1, x2, y2] = [from.x + width / 2, from.y + height, to.x + width / 2, to.y]
    const middle = (y1 + y2) / 2
    const path = `M${x1} ${y1} C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`
    return `<path d="${path}" fill="none" stroke="#8b949e" stroke-opacity="0.35" stroke-width="${
      1 + Math.log2(count) / 2
    }"/>`
  })
  const texts = [...boxes].map(([room, { x, y }]) => {
    const colour = room.startsWith("core") ? "#1f6feb" : "#8250df"
    return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${colour}"/>`
      + `<text x="${x + width / 2}" y="${y + 21}" text-anchor="middle" fill="#fff" font-size="11">${
        room.replace("detector/", "").replace("core/", "")
      }</text>`
  })
  const title =
    "Rooms by floor: core in blue, detector in violet; a line goes down from a room to one that it imports from"
  writeFileSync(
    join(root, "docs/images/rooms.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" font-family="sans-serif">\n`
      + `<title>${title}</title>\n<rect width="${w}" height="${h}" fill="#ffffff"/>\n${
        [...lines, ...texts].join("\n")
      }\n</svg>\n`
  )
}

const wrong = [
  ...roomCircles.map((circle) => `rooms that import each other: ${circle.join(", ")}`),
  ...circles.map((circle) => `files that import each other: ${circle.join(", ")}`),
  ...broken()
]
if (process.argv.includes("--draw")) draw()
if (!process.argv.includes("--check")) print()
for (const line of wrong) console.log(line)
console.log(
  `${rooms.length} rooms, ${
    Math.max(...floors.values()) + 1
  } floors, ${arrows.size} arrows, ${wrong.length} that must not be`
)
process.exitCode = wrong.length > 0 ? 1 : 0
